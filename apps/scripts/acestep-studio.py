"""ACE-Step's API and its Studio page on one port."""

from __future__ import annotations

from pathlib import Path

import uvicorn
from acestep.api_server import create_app
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

PAGE = Path("/app/ui/studio.html")
# The page calls the API at this address unless its field says otherwise; an empty address means
# the place that the page came from.
OWN_ADDRESS = "http://localhost:8001"
PORT = 7860


def main() -> None:
    """Serve the page at / and the API beside it."""
    text = PAGE.read_text(encoding="utf-8").replace(OWN_ADDRESS, "")

    async def page(_: Request) -> HTMLResponse:
        return HTMLResponse(text)

    app = create_app()
    app.router.routes.insert(0, Route("/", page))
    uvicorn.run(app, host="0.0.0.0", port=PORT)


if __name__ == "__main__":
    main()
