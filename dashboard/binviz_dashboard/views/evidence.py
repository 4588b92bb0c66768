"""Evidence: the papers' claims with their verdicts, recorded runs by their questions, and a leaderboard."""

from __future__ import annotations

from binviz_dashboard import claims_tab, leaderboard_tab, page, runs_tab, state

CLAIMS, RUNS, LEADERBOARD = "Claims", "Runs", "Leaderboard"

with page.frame(
    "What do papers claim, what was tried here, and what came of it?",
    "a claim that fails.",
    ("flip", "latent weight", "scale"),
) as controls:
    for key in ("question", "run", "beside", "moved"):
        state.imply(key, "part", RUNS)  # as older links say it
    state.imply("cell", "part", LEADERBOARD)
    with controls:
        part = state.choose("Part", [CLAIMS, RUNS, LEADERBOARD], "part", few=True)
    {CLAIMS: claims_tab.show, RUNS: runs_tab.show, LEADERBOARD: leaderboard_tab.show}[part](controls)
