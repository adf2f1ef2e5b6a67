using System.Globalization;
using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using Quire.Tests.Regions;
using Xunit;

namespace Quire.Tests;

/// <summary>What the tests of pages share: seeds that show in failures, threads whose failures are the test's, allocators of their own.</summary>
internal static unsafe class Trial
{
    internal const int Frame = Page.FrameSize;
    internal const long MiB = 1 << 20;

    /// <summary>Runs a body with a seed that is new in each run and stands in the message of whatever goes wrong; <c>QUIRE_SEED</c> repeats one.</summary>
    internal static void Seeded(Action<Random> body)
    {
        string? given = Environment.GetEnvironmentVariable("QUIRE_SEED");
        int seed = given is null ? Random.Shared.Next() : int.Parse(given, CultureInfo.InvariantCulture);
        try
        {
            body(new Random(seed));
        }
        catch (Exception e) when (e.GetType().Name != "SkipException")
        {
            throw new InvalidOperationException($"With QUIRE_SEED={seed}: {e.Message}", e);
        }
    }

    /// <summary>Runs a body on so many threads at once, which start together; the first failure is thrown here, a hang is a failure.</summary>
    internal static void OnThreads(int count, Action<int> body, [CallerMemberName] string name = "")
    {
        using Barrier start = new(count);
        Exception? first = null;
        Thread[] threads = new Thread[count];
        for (int i = 0; i < count; i++)
        {
            int number = i;
            threads[i] = new Thread(() =>
            {
                start.SignalAndWait();
                try
                {
                    body(number);
                }
                catch (Exception e)
                {
                    Interlocked.CompareExchange(ref first, e, null);
                }
            })
            {
                Name = $"{name} {i}",
                IsBackground = true,
            };
            threads[i].Start();
        }

        foreach (Thread thread in threads)
        {
            Assert.True(thread.Join(TimeSpan.FromSeconds(90)), $"Thread {thread.Name} hangs; first failure so far: {Volatile.Read(ref first)}");
        }

        if (first is not null)
        {
            ExceptionDispatchInfo.Throw(first);
        }
    }

    /// <summary>Runs a body on a thread of its own, to its end.</summary>
    internal static void OnThread(Action body) => OnThreads(1, _ => body());

    /// <summary>True for so long: the condition of a stress loop, which a slow machine cuts short and nothing makes longer.</summary>
    internal static Func<bool> For(int milliseconds)
    {
        long end = Environment.TickCount64 + milliseconds;
        return () => Environment.TickCount64 < end;
    }

    /// <summary>True for this long, and longer while there is not <paramref name="enough"/>: up to a minute, for a machine with other work to do.</summary>
    internal static Func<bool> For(int milliseconds, Func<bool> enough)
    {
        long began = Environment.TickCount64;
        return () => Environment.TickCount64 - began < milliseconds || (!enough() && Environment.TickCount64 - began < 60_000);
    }

    /// <summary>An allocator that nobody else uses and that trims only when told.</summary>
    internal static PageAllocator Allocator(long limit = 64 * MiB, RegionProvider? provider = null, bool zeroOnFree = false, bool hugePages = false, [CallerMemberName] string name = "") =>
        new(new PageAllocatorOptions
        {
            Name = name,
            LimitBytes = limit,
            Provider = provider ?? RegionProvider.Mapped,
            ZeroOnFree = zeroOnFree,
            HugePages = hugePages,
            TrimInterval = Timeout.InfiniteTimeSpan,
        });

    /// <summary>The providers that a page may stand on: mapped memory, pinned arrays, and one that faults on whatever was not committed.</summary>
    internal static RegionProvider Provider(string name) => name switch
    {
        "mapped" => RegionProvider.Mapped,
        "pinned" => RegionProvider.PinnedArrays,
        "hostile" => new HostileRegionProvider { Walls = OperatingSystem.IsLinux(), RevokeOnDecommit = OperatingSystem.IsLinux() },
        _ => throw new ArgumentOutOfRangeException(nameof(name)),
    };

    /// <summary>Waits until a condition holds; false after the time.</summary>
    internal static bool Eventually(Func<bool> condition, int milliseconds = 15_000)
    {
        Func<bool> goOn = For(milliseconds);
        while (goOn())
        {
            if (condition())
            {
                return true;
            }

            Thread.Sleep(5);
        }

        return condition();
    }

    /// <summary>The head's descriptor of a page in use.</summary>
    internal static PageDescriptor* Head(Page page) => page.HeadDescriptor("Test");
}
