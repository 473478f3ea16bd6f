"""No papers, no passage: nobody but policy makes a decision. Read from the source."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from sekisho.model.address import NULL_PATH
from sekisho.model.decision import Decision, Verdict, _Seal
from sekisho.model.replies import OK
from sekisho.policy.verdicts import accepted

SOURCE = Path(__file__).parents[2] / "src" / "sekisho"
MAKER = SOURCE / "policy" / "verdicts.py"
DEFINITION = SOURCE / "model" / "decision.py"
PRIVATE_TO_POLICY = {"verdicts", "gates", "binding", "permits"}
FORBIDDEN_NAMES = {"POLICY_SEAL", "_Seal"}


def faults(path: Path, tree: ast.Module) -> Iterator[str]:
    nodes = list(ast.walk(tree))
    imports = [node for node in nodes if isinstance(node, ast.ImportFrom)]
    for node in nodes:
        yield from touches(node)
    for node in imports:
        yield from imported(path, node)
    if any(alias.name == "Decision" for node in imports for alias in node.names):
        yield from copies(tree)


def touches(node: ast.AST) -> Iterator[str]:
    """Uses of the seal or of the constructor, however they are spelled."""
    match node:
        case ast.Name(id=name) if name in FORBIDDEN_NAMES:
            yield f"uses {name}"
        case ast.Attribute(attr=name) if name in FORBIDDEN_NAMES | {"seal"}:
            yield f"uses .{name}"
        case ast.Constant(value=str(text)) if text in FORBIDDEN_NAMES | {"seal"}:
            yield f"spells {text!r}"
        case ast.Call(func=ast.Name(id="Decision") | ast.Attribute(attr="Decision")):
            yield "constructs a Decision"
        case _:
            pass


def imported(path: Path, node: ast.ImportFrom) -> Iterator[str]:
    """Imports of the seal, and of decisions under another name."""
    names = {alias.name for alias in node.names}
    if names & FORBIDDEN_NAMES:
        yield f"imports {names & FORBIDDEN_NAMES}"
    if any(alias.name == "Decision" and alias.asname for alias in node.names):
        yield "imports Decision by another name"
    yield from inside_policy(path, node.module or "", names)


def inside_policy(path: Path, module: str, names: set[str]) -> Iterator[str]:
    """Policy's own workshop is not for others: whoever has it, makes decisions."""
    if path.is_relative_to(SOURCE / "policy"):
        return
    if module == "sekisho.policy" and names & PRIVATE_TO_POLICY:
        yield f"imports policy's {names & PRIVATE_TO_POLICY}"
    if module.removeprefix("sekisho.policy.") in PRIVATE_TO_POLICY and (
        module.startswith("sekisho.policy.")
    ):
        yield f"imports {module}"


def copies(tree: ast.Module) -> Iterator[str]:
    """A copy with other contents would be a forged decision."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(
                func=ast.Name(id="replace" | "copy" | "deepcopy")
                | ast.Attribute(attr="replace" | "copy" | "deepcopy" | "__new__"),
                args=[ast.Name(id=name) | ast.Attribute(attr=name), *_],
            ) if "decision" in name.lower():
                yield f"copies {name}"
            case _:
                pass


MODULES = [p for p in sorted(SOURCE.rglob("*.py")) if p not in (MAKER, DEFINITION)]


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_no_other_module_makes_alters_or_copies_a_decision(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert not list(faults(path, tree))


@pytest.mark.parametrize(
    "forgery",
    [
        "from sekisho.model.decision import POLICY_SEAL",
        "import sekisho.model.decision as d\nd.POLICY_SEAL",
        "from sekisho.model.decision import Decision as D",
        "from sekisho.model.decision import Decision\nDecision(*parts)",
        "import sekisho.model.decision as d\nd.Decision(*parts)",
        "s = decision.seal",
        "getattr(decision, 'seal')",
        "getattr(module, 'POLICY_SEAL')",
        "from sekisho.model.decision import Decision\nreplace(decision, verdict=v)",
        "from sekisho.model.decision import Decision\ncopy.replace(self.decision, x=1)",
        "from sekisho.model.decision import Decision\nobject.__new__(Decision)",
        "from sekisho.policy.verdicts import accepted",
        "from sekisho.policy import verdicts",
    ],
)
def test_the_reader_sees_each_way_to_forge_one(forgery: str) -> None:
    assert list(faults(SOURCE / "server" / "forger.py", ast.parse(forgery)))


def test_the_maker_is_the_only_one_that_takes_the_seal() -> None:
    assert "POLICY_SEAL" in MAKER.read_text(encoding="utf-8")


def test_a_seal_of_ones_own_opens_nothing() -> None:
    with pytest.raises(TypeError, match="only policy"):
        Decision(_Seal(), Verdict.ACCEPT, "x", "", OK, "", NULL_PATH)


def test_only_a_refusal_keeps_mail_out() -> None:
    decision = accepted("sender", "why", NULL_PATH, OK)
    assert decision.accepts
