"""What a model can take beside text: the history as it is sent to one, and what a person is told about the rest.

The history itself keeps every image and sound, so a model that is chosen later reads them.
"""

from __future__ import annotations

from collections.abc import Sequence

from acp_agent.llm.media import LARGEST_ANTHROPIC_IMAGE, audio_format
from acp_agent.llm.messages import Audio, History, Image, Step, Text, UserMessage, UserPart
from acp_agent.llm.models import ModelInfo
from acp_agent.schema import AudioContent, ContentBlock
from acp_agent.session.prompt.block_parts import is_for_model, one_line

NO_IMAGES = "[An image was here; this model cannot see images.]"
NO_AUDIO = "[Audio was here; this model cannot hear audio.]"


def seen_by(info: ModelInfo, entries: History) -> History:
    """The history for one model, with a note in place of each image and sound that it does not take.

    Of a model that nothing is known of, images are taken for granted and sound is not.
    """
    if info.image is not False and info.audio is True:
        return tuple(entries)
    return tuple(_seen_by(info, entry) for entry in entries)


def _seen_by(info: ModelInfo, entry: UserMessage | Step) -> UserMessage | Step:
    if isinstance(entry, UserMessage):
        parts = tuple(_part(info, part) for part in entry.content)
        return entry if parts == entry.content else UserMessage(content=parts)
    if info.image is not False or not any(outcome.images for outcome in entry.outcomes):
        return entry
    outcomes = tuple(
        each.model_copy(update={"images": (), "output": f"{each.output}\n{NO_IMAGES}"}) if each.images else each
        for each in entry.outcomes
    )
    return entry.model_copy(update={"outcomes": outcomes})


def _part(info: ModelInfo, part: UserPart) -> UserPart:
    if isinstance(part, Image) and info.image is False:
        return Text(text=NO_IMAGES)
    if isinstance(part, Audio) and info.audio is not True:
        return Text(text=NO_AUDIO)
    return part


def not_taken(info: ModelInfo, api: object, message: UserMessage) -> list[str]:
    """What a person is told of a prompt whose images or sounds this model does not get: one sentence a kind.

    `api` is the model's wire API.
    """
    images = [part for part in message.content if isinstance(part, Image)]
    told: list[str] = []
    if images and info.image is False:
        which = "is one" if len(images) == 1 else f"are {len(images)}"
        told.append(
            f"{info.ref} cannot see images: it is only told that there {which}. "
            "Choose a model that sees images and go on; it will see what you sent."
        )
    elif api == "anthropic" and any(len(image.data) > LARGEST_ANTHROPIC_IMAGE for image in images):
        limit = f"{LARGEST_ANTHROPIC_IMAGE * 3 // 4 / 2**20:.2f} MB"
        told.append(f"{info.ref} takes no image of more than {limit}: it is only told of it. Send a smaller copy.")
    if any(isinstance(part, Audio) for part in message.content) and (info.audio is not True or api == "anthropic"):
        told.append(
            f"{info.ref} is not known to hear audio: it is only told that there is some. Choose a model that does, "
            'or if this one does, list "audio" among its modalities.input in the configuration.'
        )
    return told


def not_sendable(blocks: Sequence[ContentBlock]) -> list[str]:
    """What a person is told of sounds in a format that no model takes."""
    types = {
        block.mime_type
        for block in blocks
        if isinstance(block, AudioContent) and is_for_model(block) and audio_format(block.mime_type) is None
    }
    return [f"Audio of type {one_line(each)} cannot be sent to any model: send wav or mp3." for each in sorted(types)]
