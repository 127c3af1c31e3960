"""One file for each program that `nod work --recipe` knows; `recipe.py` says what a recipe is."""

from nod.worker.recipes.claude_code import CLAUDE_CODE
from nod.worker.recipes.codex import CODEX
from nod.worker.recipes.gemini_cli import GEMINI_CLI
from nod.worker.recipes.goose import GOOSE
from nod.worker.recipes.opencode import OPENCODE
from nod.worker.recipes.recipe import Recipe

RECIPES: dict[str, Recipe] = {
    each.name: each for each in (CLAUDE_CODE, CODEX, GEMINI_CLI, OPENCODE, GOOSE)
}
