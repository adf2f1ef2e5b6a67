using Xunit;

namespace Quire.Tests.Regions;

/// <summary>Memory pressure is read from the system's own files, here from a made-up root.</summary>
public sealed class MemoryPressureTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("quire-pressure").FullName;

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Theory]
    [InlineData(1000, 99, true)]
    [InlineData(1000, 101, false)]
    public void A_machine_with_less_than_a_tenth_available_is_short(long total, long available, bool expected)
    {
        Write("proc/meminfo", $"MemTotal:       {total} kB\nMemFree:         1 kB\nMemAvailable:   {available} kB\n");

        Assert.Equal(expected, new MemoryPressure(_root).IsHigh());
    }

    [Theory]
    [InlineData("1000", 950, 0, true)]
    [InlineData("1000", 950, 500, false)]
    [InlineData("1000", 800, 0, false)]
    [InlineData("max", 950, 0, false)]
    public void A_container_near_its_limit_is_short_whatever_the_machine_has(string most, long used, long inactive, bool expected)
    {
        Write("proc/meminfo", "MemTotal: 1000000 kB\nMemAvailable: 900000 kB\n");
        Write("proc/self/cgroup", "0::/system.slice/app\n");
        Write("sys/fs/cgroup/system.slice/app/memory.max", most + "\n");
        Write("sys/fs/cgroup/system.slice/app/memory.current", used + "\n");
        Write("sys/fs/cgroup/system.slice/app/memory.stat", $"anon 17\nactive_file 3\ninactive_file {inactive}\n");

        Assert.Equal(expected, new MemoryPressure(_root).IsHigh());
    }

    [Fact]
    public void Where_nobody_can_say_there_is_no_pressure() => Assert.False(new MemoryPressure(_root).IsHigh());

    [Fact]
    public void Under_pressure_all_free_memory_goes_back_at_the_next_interval_however_little_idle_it_is()
    {
        Write("proc/meminfo", "MemTotal: 1000 kB\nMemAvailable: 1 kB\n");
        using PageAllocator allocator = new(new PageAllocatorOptions
        {
            Name = "pressed",
            LimitBytes = 8 << 20,
            KeepBytes = 8 << 20,
            TrimInterval = TimeSpan.FromMilliseconds(50),
            Pressure = new MemoryPressure(_root),
        });
        allocator.Free(allocator.Allocate());

        Assert.True(SpinWait.SpinUntil(() => allocator.GetStatistics().DecommittedFrames == 1024, TimeSpan.FromSeconds(60)), $"{allocator.GetStatistics()}");
    }

    private void Write(string file, string text)
    {
        string path = Path.Combine(_root, file);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, text);
    }
}
