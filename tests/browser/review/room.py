"""Helpers for what the review room shows."""

from collections.abc import Callable

from playwright.sync_api import Locator, Page, expect

# A window behind others, which closes its connection.
HIDE = """(state) => {
  Object.defineProperty(document, "hidden", { configurable: true, get: () => state === "hidden" });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


# Whether the room's next page and the pictures after this one have come. On a busy machine the network may be quiet
# before they were even requested.
AHEAD = """() => {
  const { next, nextImage, following } = document.getElementById("room").dataset;
  const pictures = [nextImage, following].filter(Boolean).map((id) => `/images/${id}.png`);
  const entries = (url) => performance.getEntriesByName(new URL(url, location.href).href);
  const came = (url) => entries(url).some((entry) => entry.responseEnd);
  return [next, ...pictures].filter(Boolean).every(came);
}"""


def shown(page: Page, number: int) -> None:
    """Expect the room to show this picture."""
    expect(page.locator("#room")).to_have_attribute("data-image", str(number))


def ahead(page: Page) -> None:
    """Expect the next picture to be prefetched."""
    page.wait_for_function(AHEAD)
    page.wait_for_load_state()


def dock(page: Page) -> Locator:
    return page.locator("#room-dock")


def tally(page: Page) -> Locator:
    return page.locator(".tally")


def both(enter: Callable[..., Page]) -> tuple[Page, Page]:
    """Ito Kenji and 佐藤 美咲 at the same picture, the first, with the next one prefetched."""
    one, two = enter(name="Ito Kenji"), enter(name="佐藤 美咲")
    for page in (one, two):
        shown(page, 1)
        ahead(page)
    return one, two


def page_status(page: Page, number: int) -> Locator:
    return page.locator(f"#strip-{number}")


def news(page: Page) -> Locator:
    """The latest: a message from a few seconds ago may still be shown."""
    return page.locator("#toasts [data-news]").last
