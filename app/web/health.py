"""For machines: is the server up, and can it work?"""

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from app.web.deps import App

router = APIRouter()


@router.get("/healthz")
def health(app: App) -> JSONResponse:
    """Nothing is answered before the model is loaded, unless whoever runs the server waits for it elsewhere."""
    try:
        model = app.engine.model
    except RuntimeError:
        return JSONResponse({"status": "loading"}, 503)
    return JSONResponse({"status": "ok", "model": model.name})
