"""What memory is left, from files as Linux has them, and the working memory that is chosen by it."""

import pytest

from kind.enhancing.tiling import free_memory, plan

MIB = 2**20


@pytest.fixture
def system(tmp_path, monkeypatch):
    """Writes such files: by name below /proc or /sys/fs/cgroup."""
    monkeypatch.setattr(free_memory, "_MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(free_memory, "_CGROUP", tmp_path / "cgroup")
    monkeypatch.setattr(free_memory, "_CGROUPS", tmp_path / "sys")

    def write(**files):
        for name, text in files.items():
            path = tmp_path / name.replace("__", "/").replace("_DOT_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    return write


MEMINFO = "MemTotal:  9000000 kB\nMemAvailable:    4194304 kB\nBuffers: 3 kB\n"


def test_what_the_system_has_available(system):
    assert free_memory.free_memory() is None
    system(meminfo="MemTotal: 3 kB\n")
    assert free_memory.free_memory() is None
    system(meminfo=MEMINFO)
    assert free_memory.free_memory() == 4096 * MIB
    system(cgroup="0::/\n", sys__memory_DOT_max="max\n", sys__memory_DOT_current="5\n")
    assert free_memory.free_memory() == 4096 * MIB


def test_the_tightest_limit_of_a_container_counts_and_files_in_memory_do_not(system):
    system(meminfo=MEMINFO, cgroup="0::/pod/one\n")
    for folder, limit in (("pod/one", 3000), ("pod", 2000)):
        base = f"sys__{folder.replace('/', '__')}__memory_DOT_"
        system(
            **{
                base + "max": f"{limit * MIB}\n",
                base + "current": f"{1000 * MIB}\n",
                base + "stat": f"anon 7\ninactive_file {500 * MIB}\n",
            }
        )
    assert free_memory.free_memory() == 1500 * MIB


def test_the_older_kind_of_limits(system):
    system(meminfo=MEMINFO, cgroup="7:cpu,cpuacct:/x\n5:memory:/docker\n")
    base = "sys__memory__docker__memory_DOT_"
    system(**{base + "limit_in_bytes": f"{900 * MIB}\n", base + "usage_in_bytes": f"{1000 * MIB}\n"})
    system(**{base + "stat": f"total_inactive_file {150 * MIB}\n"})
    assert free_memory.free_memory() == 50 * MIB


@pytest.mark.parametrize(
    ("free", "chosen"), [(None, 640), (16_000, 640), (2048, 640), (2047, 320), (100, 320)]
)
def test_working_memory_has_two_sizes(free, chosen, monkeypatch):
    monkeypatch.setattr(plan, "free_memory", lambda: free and free * MIB)
    plan.working_memory.cache_clear()
    assert plan.working_memory() == chosen * MIB
    plan.working_memory.cache_clear()


def test_a_graph_that_is_exported_does_not_depend_on_the_machine_that_exports(monkeypatch):
    windows = plan.Windows(lambda: plan.TilePlan(halo=16, stride=4, values=100, half=False))
    squares = []
    for chosen in (320, 880):
        monkeypatch.setattr(plan, "working_memory", lambda chosen=chosen: chosen * MIB)
        squares.append(windows.square())
        assert windows.holds_whole(1, 1000, 1000) == (chosen == 880)
    assert squares[0] == squares[1]


def test_images_of_a_few_megapixels_get_larger_tiles(monkeypatch):
    windows = plan.Windows(lambda: plan.TilePlan(halo=16, stride=4, values=100, half=False))
    monkeypatch.setattr(plan, "working_memory", lambda: 640 * MIB)

    def largest(height, width):
        tiles = windows.of(1, height, width)
        return max((row.stop - row.start) * (column.stop - column.start) for _, row, column in tiles)

    assert largest(1600, 2400) > 1.2 * largest(1600, 2600)
    monkeypatch.setattr(plan, "WORKING_MEMORY", 640 * MIB)
    assert largest(1600, 2400) < 1.2 * largest(1600, 2600)
