"""Text to speech with OmniVoice, under the paths of OpenAI's audio API.

The folder of the weights stands in MODEL_SPEECH. It is read before the port opens, so that whoever
gets an answer from /health can speak.

    POST /v1/audio/speech   JSON as OpenAI has it; further fields: language, steps
    POST /v1/audio/clone    form with text, ref_audio (a file) and ref_text (what is said in it)
    GET  /v1/models  /health  /  (a page to try it)
"""

from __future__ import annotations

import io
import os
import threading
from pathlib import Path
from typing import Annotated, Any, Literal

import soundfile
import torch
import uvicorn
from fastapi import FastAPI, File, Form, HTTPException, UploadFile
from fastapi.responses import HTMLResponse, Response
from omnivoice import OmniVoice
from pydantic import BaseModel, Field

MODEL_NAME = "omnivoice"
PORT = 8000
PAGE = Path(__file__).with_name("omnivoice-page.html")
# Three to ten seconds are best; longer ones are slower and clone worse (OmniVoice's README).
MAX_REFERENCE_BYTES = 20_000_000
# Names that clients of OpenAI's API send by default; OmniVoice then chooses a voice itself.
ANY_VOICE = frozenset(
    {"auto", "default", "alloy", "ash", "ballad", "cedar", "coral", "echo", "fable"}
    | {"marin", "nova", "onyx", "sage", "shimmer", "verse"}
)
# By format: container and coding as libsndfile names them, and the media type.
FORMATS = {
    "mp3": ("MP3", "MPEG_LAYER_III", "audio/mpeg"),
    "opus": ("OGG", "OPUS", "audio/ogg"),
    "flac": ("FLAC", "PCM_16", "audio/flac"),
    "wav": ("WAV", "PCM_16", "audio/wav"),
    "pcm": ("RAW", "PCM_16", "audio/pcm"),
}
Format = Literal["mp3", "opus", "flac", "wav", "pcm"]
Text = Annotated[str, Field(min_length=1, max_length=20_000)]
Speed = Annotated[float, Field(ge=0.25, le=4.0)]
Steps = Annotated[int, Field(ge=4, le=64)]


class SpeechRequest(BaseModel):
    """What POST /v1/audio/speech takes.

    `voice` is a description such as `female, low pitch, british accent`, or one of OpenAI's names;
    `instructions` is the same and goes first.
    """

    input: Text
    model: str = MODEL_NAME
    voice: str = "auto"
    instructions: str | None = None
    response_format: Format = "mp3"
    speed: Speed = 1.0
    language: str | None = None
    steps: Steps = 32


class Speaker:
    """The model, one sentence at a time: there is one GPU."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.turn = threading.Lock()

    def say(self, text: str, form: Format, **wishes: Any) -> Response:
        """Return the text as sound. What the model refuses becomes status 400."""
        stated = {name: value for name, value in wishes.items() if value is not None}
        try:
            with self.turn:
                audio = self.model.generate(text=text, **stated)[0]
        except ValueError as error:
            raise HTTPException(400, str(error)) from error
        container, coding, media = FORMATS[form]
        sound = io.BytesIO()
        rate = self.model.sampling_rate
        soundfile.write(sound, audio, rate, format=container, subtype=coding)
        return Response(sound.getvalue(), media_type=media)


def described(request: SpeechRequest) -> str | None:
    """Return the description of the voice that is wanted, or None for any."""
    if request.instructions and request.instructions.strip():
        return request.instructions
    return None if request.voice.strip().lower() in ANY_VOICE | {""} else request.voice


def reference(data: bytes) -> tuple[torch.Tensor, int]:
    """Read a sound file as OmniVoice wants it: channels by samples, and samples per second."""
    try:
        samples, rate = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
    except soundfile.SoundFileError as error:
        raise HTTPException(400, f"ref_audio is no sound file that can be read: {error}") from error
    return torch.from_numpy(samples.T.copy()), rate


def application(model: Any) -> FastAPI:
    """Return the server of a loaded model."""
    app = FastAPI(title="OmniVoice")
    speaker = Speaker(model)

    @app.get("/", response_class=HTMLResponse)
    def page() -> str:
        return PAGE.read_text(encoding="utf-8")

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/v1/models")
    async def models() -> dict[str, Any]:
        entry = {"id": MODEL_NAME, "object": "model", "owned_by": "k2-fsa"}
        return {"object": "list", "data": [entry]}

    @app.post("/v1/audio/speech")
    def speech(request: SpeechRequest) -> Response:
        return speaker.say(
            request.input,
            request.response_format,
            instruct=described(request),
            language=request.language,
            speed=request.speed if request.speed != 1.0 else None,
            num_step=request.steps,
        )

    @app.post("/v1/audio/clone")
    def clone(
        text: Annotated[Text, Form()],
        ref_text: Annotated[Text, Form()],
        ref_audio: Annotated[UploadFile, File()],
        language: Annotated[str | None, Form()] = None,
        response_format: Annotated[Format, Form()] = "wav",
        speed: Annotated[Speed, Form()] = 1.0,
        steps: Annotated[Steps, Form()] = 32,
    ) -> Response:
        data = ref_audio.file.read(MAX_REFERENCE_BYTES + 1)
        if len(data) > MAX_REFERENCE_BYTES:
            raise HTTPException(413, f"ref_audio has more than {MAX_REFERENCE_BYTES} bytes")
        return speaker.say(
            text,
            response_format,
            ref_audio=reference(data),
            ref_text=ref_text,
            language=language,
            speed=speed if speed != 1.0 else None,
            num_step=steps,
        )

    return app


def main() -> None:
    """Load the model onto the GPU and serve it."""
    model = OmniVoice.from_pretrained(
        os.environ["MODEL_SPEECH"], device_map="cuda:0", dtype=torch.float16
    )
    uvicorn.run(application(model), host="0.0.0.0", port=PORT)


if __name__ == "__main__":
    main()
