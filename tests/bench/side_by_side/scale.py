# SPDX-License-Identifier: Apache-2.0
"""How much of everything: in full, for figures, and quick, to see that all of it works."""
import dataclasses


@dataclasses.dataclass(frozen=True)
class Scale:
    quick: bool
    populations: tuple  # numbers of tasks
    compared: tuple  # those of them at which peers take turns
    warm_ticks: int  # the first ones store everything
    window_s: int  # of one turn
    rounds: int  # turns of each
    samples: int  # that a peer takes in its turn
    constant_active: int  # tasks that wake at each population of the slope
    slope_populations: tuple
    hook_rounds: int
    hook_s: float
    history_s: int
    history_tasks: int
    day_hours: int
    day_tasks: int
    storm_s: int
    watchers: int
    watch_ticks: int
    starts: int
    memory_populations: tuple
    memory_s: int
    most_wakes: int  # a second; more leave a small machine no time for anything else

    @property
    def judged(self):
        """Short runs on whatever machine say nothing about budgets."""
        return not self.quick


FULL = Scale(quick=False, populations=(1_000, 10_000, 100_000), compared=(1_000, 10_000), warm_ticks=5, window_s=6,
             rounds=3, samples=5, constant_active=500, slope_populations=(1_000, 10_000, 50_000, 100_000), hook_rounds=9,
             hook_s=0.7, history_s=330, history_tasks=1_000, day_hours=24, day_tasks=1_000, storm_s=30, watchers=200,
             watch_ticks=20, starts=5, memory_populations=(100, 1_000, 10_000), memory_s=20, most_wakes=20_000)
QUICK = Scale(quick=True, populations=(200, 1_000), compared=(200,), warm_ticks=1, window_s=1, rounds=1, samples=2,
              constant_active=50, slope_populations=(200, 1_000), hook_rounds=1, hook_s=0.1, history_s=8,
              history_tasks=100, day_hours=1, day_tasks=100, storm_s=2, watchers=20, watch_ticks=3, starts=1, memory_populations=(200,), memory_s=1, most_wakes=20_000)
