"""What a model that does not see or hear is sent instead, and what a person is told of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from acp_agent.llm.messages import Audio, Image, Text, UserMessage
from acp_agent.llm.models import ModelInfo, ModelRef
from acp_agent.session.prompt.modalities import NO_AUDIO, NO_IMAGES, not_taken, seen_by
from tests.llm.requests import PIXEL, SOUND, step

INFO = ModelInfo(ModelRef("p", "m"))
BOTH = UserMessage(content=(Text(text="look"), PIXEL, SOUND))


@pytest.mark.parametrize(
    ("image", "audio", "parts"),
    [
        (True, True, (PIXEL, SOUND)),
        (None, True, (PIXEL, SOUND)),
        (None, None, (PIXEL, Text(text=NO_AUDIO))),
        (True, False, (PIXEL, Text(text=NO_AUDIO))),
        (False, True, (Text(text=NO_IMAGES), SOUND)),
        (False, None, (Text(text=NO_IMAGES), Text(text=NO_AUDIO))),
    ],
)
def test_images_are_taken_for_granted_and_sound_is_not(
    image: bool | None, audio: bool | None, parts: tuple[Text | Image | Audio, ...]
) -> None:
    info = replace(INFO, image=image, audio=audio)
    assert seen_by(info, [BOTH]) == (UserMessage(content=(Text(text="look"), *parts)),)


def test_the_images_of_a_tool_are_named_to_a_model_that_does_not_see() -> None:
    plain = step(("c1", "{}"))
    (outcome,) = plain.outcomes
    shot = plain.model_copy(update={"outcomes": (outcome.model_copy(update={"images": (PIXEL,)}),)})
    (seen,) = seen_by(replace(INFO, image=False), [shot])
    assert seen == plain.model_copy(update={"outcomes": (outcome.model_copy(update={"output": f"done\n{NO_IMAGES}"}),)})
    assert seen_by(INFO, [shot, plain]) == (shot, plain)


@pytest.mark.parametrize(
    ("image", "audio", "api", "told"),
    [
        (True, True, "openai_chat", ()),
        (None, None, "openai_chat", ("hear audio",)),
        (False, True, "openai_chat", ("see images",)),
        (False, False, "openai_chat", ("see images", "hear audio")),
        (True, True, "anthropic", ("hear audio",)),
    ],
)
def test_a_person_is_told_of_each_kind_that_the_model_does_not_get(
    image: bool | None, audio: bool | None, api: str, told: tuple[str, ...]
) -> None:
    said = not_taken(replace(INFO, image=image, audio=audio), api, BOTH)
    assert len(said) == len(told)
    assert all(what in sentence and "p/m" in sentence for what, sentence in zip(told, said, strict=True))
    assert not_taken(replace(INFO, image=image, audio=audio), api, UserMessage(content=(Text(text="look"),))) == []


def test_an_image_that_only_anthropic_refuses_is_told_of_there() -> None:
    large = UserMessage(content=(Image(data="AAAA" * (1280 * 1024 + 1), mime_type="image/png"),))
    info = replace(INFO, image=True)
    assert not_taken(info, "openai_chat", large) == []
    assert not_taken(info, "anthropic", large) == [
        "p/m takes no image of more than 3.75 MB: it is only told of it. Send a smaller copy."
    ]
