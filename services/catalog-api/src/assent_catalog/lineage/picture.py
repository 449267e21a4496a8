"""A lineage as a picture: SVG, a column for each kind, from data on the left to use cases on the right.

Names come from registries and are hostile: whatever is not drawn by us is text, and escaped.
"""

from xml.etree import ElementTree as ET

from assent_catalog.lineage.graph import Graph, Node, NodeKind, columns

WIDTH, HEIGHT, GAP_X, GAP_Y, MARGIN = 240, 48, 90, 18, 24
_LONGEST = 34
_FILL: dict[NodeKind, str] = {
    NodeKind.DATASET: "#e3f2fd",
    NodeKind.TRAINING_JOB: "#fff8e1",
    NodeKind.MODEL_VERSION: "#e8f5e9",
    NodeKind.DEPLOYMENT: "#fce4ec",
    NodeKind.USE_CASE: "#ede7f6",
}


def svg(drawn: Graph) -> str:
    """A document of its own, without script, style sheet or anything from elsewhere."""
    shown = columns(drawn)
    tallest = max(map(len, shown))
    width = 2 * MARGIN + len(shown) * WIDTH + (len(shown) - 1) * GAP_X
    height = 2 * MARGIN + tallest * HEIGHT + (tallest - 1) * GAP_Y
    root = ET.Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "viewBox": f"0 0 {width} {height}",
            "width": str(width),
            "height": str(height),
            "role": "img",
            "font-family": "system-ui, sans-serif",
        },
    )
    ET.SubElement(root, "title").text = f"Lineage of {_clean(drawn.root)}"
    places = {
        node.urn: (MARGIN + x * (WIDTH + GAP_X), MARGIN + y * (HEIGHT + GAP_Y))
        for x, nodes in enumerate(shown)
        for y, node in enumerate(nodes)
    }
    for edge in drawn.edges:
        if edge.source in places and edge.target in places:
            _arrow(root, places[edge.source], places[edge.target], edge.relation)
    for nodes in shown:
        for node in nodes:
            _box(root, node, *places[node.urn], is_root=node.urn == drawn.root)
    return ET.tostring(root, encoding="unicode")


def _box(root: ET.Element, node: Node, x: int, y: int, *, is_root: bool) -> None:
    group = ET.SubElement(root, "g")
    ET.SubElement(group, "title").text = _clean(node.urn)
    ET.SubElement(
        group,
        "rect",
        {
            "x": str(x),
            "y": str(y),
            "width": str(WIDTH),
            "height": str(HEIGHT),
            "rx": "6",
            "fill": _FILL[node.kind],
            "stroke": "#37474f",
            "stroke-width": "3" if is_root else "1",
            **({} if node.live else {"stroke-dasharray": "4 3"}),
        },
    )
    _text(group, x + 10, y + 20, _short(node.name), 13)
    _text(group, x + 10, y + 38, " · ".join(filter(None, (node.kind.replace("_", " "), node.status))), 11)


def _arrow(root: ET.Element, start: tuple[int, int], end: tuple[int, int], relation: str) -> None:
    from_x, from_y = start[0] + WIDTH, start[1] + HEIGHT // 2
    to_x, to_y = end[0], end[1] + HEIGHT // 2
    middle = (from_x + to_x) // 2
    line = f"M{from_x},{from_y} C{middle},{from_y} {middle},{to_y} {to_x},{to_y}"
    path = ET.SubElement(root, "path", {"d": line, "fill": "none", "stroke": "#78909c"})
    ET.SubElement(path, "title").text = _clean(relation)
    ET.SubElement(root, "path", {"d": f"M{to_x},{to_y} l-8,-4 l0,8 z", "fill": "#78909c"})


def _text(parent: ET.Element, x: int, y: int, text: str, size: int) -> None:
    ET.SubElement(parent, "text", {"x": str(x), "y": str(y), "font-size": str(size)}).text = _clean(text)


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else "…" + text[-_LONGEST + 1 :]


def _clean(text: str) -> str:
    """Without the characters that XML does not take, and without those that turn the direction of writing."""
    return "".join(
        c for c in text if c.isprintable() and not "\u2066" <= c <= "\u2069" and not "\u202a" <= c <= "\u202e"
    )
