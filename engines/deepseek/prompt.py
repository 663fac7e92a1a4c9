"""A request as the model takes it: token ids with the places of the image, and its views."""

from dataclasses import dataclass
from typing import Any

from engines.deepseek.image_plan import ImagePlan, plan_image
from engines.deepseek.loading import LoadedModel
from engines.deepseek.pixels import Views, make_views
from engines.deepseek.runtime import Request
from shared.errors import PageFailed

IMAGE = "<image>"


@dataclass(frozen=True, slots=True)
class Prepared:
    """One page ready for the model: `ids` of the whole prompt, image tokens among them."""

    request: Request
    plan: ImagePlan
    ids: list[int]
    views: Views


def prepare(request: Request, loaded: LoadedModel, device: Any = None) -> Prepared:
    """Plan, tokenise and make the views, on `device` (the model's unless given).

    PageFailed when the prompt has not exactly one `<image>`, leaves no room for an answer, or the
    pixels are not as many as the page says.
    """
    plan, ids = plan_prompt(request, loaded)
    try:
        views = make_views(request.pixels, plan, device or loaded.device, loaded.dtype)
    except ValueError as error:
        raise PageFailed(str(error), code="bad_page") from error
    return Prepared(request, plan, ids, views)


def plan_prompt(request: Request, loaded: LoadedModel) -> tuple[ImagePlan, list[int]]:
    """The views of a page and the ids of its prompt, before a pixel is touched.

    PageFailed when the prompt has not exactly one `<image>` or leaves no room for an answer.
    """
    family = loaded.checkpoint.family
    view = request.view or loaded.view
    plan = plan_image(family, request.width, request.height, view=view, tiles=request.tiles)
    before, found, after = request.prompt.partition(IMAGE)
    if not found or IMAGE in after:
        raise PageFailed("The prompt must have <image> exactly once.", code="bad_prompt")
    ids = [loaded.bos_id, *loaded.encode(before)] if before else [loaded.bos_id]
    ids += [loaded.image_id] * plan.tokens
    ids += loaded.encode(after)
    if len(ids) >= loaded.max_length:
        raise PageFailed(
            f"The prompt takes {len(ids)} tokens, all that the model has ({loaded.max_length}): "
            "ask for a smaller view or no tiles.",
            code="prompt_too_long",
        )
    return plan, ids
