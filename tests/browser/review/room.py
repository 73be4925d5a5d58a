"""What can be seen in the review room."""

from collections.abc import Callable

from playwright.sync_api import Locator, Page, expect

# A window behind others, which lets its connection go.
HIDE = """(state) => {
  Object.defineProperty(document, "hidden", { configurable: true, get: () => state === "hidden" });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


def shown(page: Page, number: int) -> None:
    """The room shows this picture."""
    expect(page.locator("#room")).to_have_attribute("data-image", str(number))


def ahead(page: Page) -> None:
    """It has fetched the next one."""
    page.wait_for_load_state("networkidle")


def dock(page: Page) -> Locator:
    return page.locator("#room-dock")


def tally(page: Page) -> Locator:
    return page.locator(".tally")


def both(enter: Callable[..., Page]) -> tuple[Page, Page]:
    """Ito Kenji and 佐藤 美咲 before the same picture, the first, and with the next one fetched."""
    one, two = enter(name="Ito Kenji"), enter(name="佐藤 美咲")
    for page in (one, two):
        shown(page, 1)
        ahead(page)
    return one, two


def page_status(page: Page, number: int) -> Locator:
    return page.locator(f"#strip-{number}")


def news(page: Page) -> Locator:
    """The latest: what was said a few seconds before may still be there."""
    return page.locator("#toasts [data-news]").last
