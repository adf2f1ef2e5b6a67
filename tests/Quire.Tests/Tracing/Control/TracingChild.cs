using System.Diagnostics.Metrics;
using System.Diagnostics.Tracing;
using System.Runtime.CompilerServices;

namespace Quire.Tests.Tracing.Control;

/// <summary>
/// What this assembly does instead of its tests where <see cref="Variable"/> says so: small programs to be recorded, killed and asked from outside. On the main thread alone:
/// no other may run code of this module before its initializer has ended.
/// </summary>
internal static class TracingChild
{
    private const string Variable = "QUIRE_TESTS_CHILD";

    /// <summary>Keeps one page of an allocator 'child' and takes and puts another every millisecond, until it is killed.</summary>
    internal const string Holder = "holder";

    /// <summary>The same three hundred times; then it ends by itself.</summary>
    internal const string Short = "short";

    /// <summary>A .NET process that has no page allocator.</summary>
    internal const string Stranger = "stranger";

    /// <summary>Listens to the event source, and while it is told that a recording began waits for another thread that asks for the start; says whether that came through.</summary>
    internal const string Listener = "listener";

    /// <summary>Allocators, areas and trims, made and ended ten times a second, until it is killed.</summary>
    internal const string Lifecycle = "lifecycle";

    /// <summary>Has a listener that throws when a meter's instruments appear; makes an allocator and takes all it has.</summary>
    internal const string BadListener = "bad-listener";

    /// <summary>Starts a child with settings in its environment (<c>NAME=value</c>); when this returns its first line of output is there: its number.</summary>
    internal static ChildProcess Start(string scenario, out int processId, params string[] environment)
    {
        ChildProcess child = Start(scenario, environment);
        int id = 0;
        bool isReady = SpinWait.SpinUntil(
            () => int.TryParse(child.Output.Split('\n')[0], out id) || child.HasExited,
            TimeSpan.FromSeconds(60));
        Xunit.Assert.True(isReady && id > 0, $"the child said: {child.Output}{child.Error}");
        processId = id;
        return child;
    }

    internal static ChildProcess Start(string scenario, params string[] environment) =>
        new("env", [$"{Variable}={scenario}", .. environment, .. Command]);

    /// <summary>The command that is a child where <see cref="Variable"/> is set.</summary>
    internal static string[] Command => [Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet", Path.Combine(AppContext.BaseDirectory, "Quire.Tests.dll")];

    /// <summary>The setting that makes the command a child.</summary>
    internal static string Setting(string scenario) => $"{Variable}={scenario}";

    [ModuleInitializer]
    internal static void BeOne()
    {
        switch (Environment.GetEnvironmentVariable(Variable))
        {
            case Holder:
                Hold(int.MaxValue);
                break;
            case Short:
                Hold(300);
                Environment.Exit(0);
                break;
            case Lifecycle:
                Live();
                break;
            case Listener:
                Listen();
                Environment.Exit(0);
                break;
            case BadListener:
                Exhaust();
                Environment.Exit(0);
                break;
            case Stranger:
                Console.WriteLine(Environment.ProcessId);
                Thread.Sleep(TimeSpan.FromMinutes(5));
                Environment.Exit(0);
                break;
        }
    }

    private static void Live()
    {
        PageAllocator kept = new(new PageAllocatorOptions { Name = "child", LimitBytes = 64 << 20 });
        Page page = kept.Allocate(order: 1);
        Console.WriteLine(Environment.ProcessId);
        while (true)
        {
            using (PageAllocator allocator = new(new PageAllocatorOptions { Name = "life", LimitBytes = 8 << 20 }))
            {
                using ContiguousArea area = ContiguousArea.Reserve(allocator, 4 << 20, "life area");
                MovablePage movable = area.AllocateMovable();
                PagePin pin = movable.Pin();
                _ = area.TryAllocate(area.Pages, out _, out _);
                pin.Unpin();
                area.Release(area.Allocate(area.Pages));
                movable.Free();
                _ = allocator.TryAllocate(out Page whole, out _, order: 10);
                _ = allocator.TryAllocate(out _, out _, order: 10);
                whole.Put();
                allocator.Trim();
            }

            GC.KeepAlive(page);
            Thread.Sleep(100);
        }
    }

    private static void Listen()
    {
        using Waiting listener = new();
        PageAllocator allocator = new(new PageAllocatorOptions { Name = "child", LimitBytes = 64 << 20 });
        Console.WriteLine($"waited {listener.CameThrough}");
        allocator.Dispose();
    }

    private static void Exhaust()
    {
        using MeterListener listener = new() { InstrumentPublished = static (instrument, _) => throw new InvalidTimeZoneException(instrument.Name) };
        try
        {
            listener.Start();
        }
        catch (InvalidTimeZoneException)
        {
            // Of a meter of the runtime's own; the listener listens all the same.
        }

#pragma warning disable QUIRE001 // Full to its limit, it ends with the process.
        PageAllocator allocator = new(new PageAllocatorOptions { Name = "child", LimitBytes = 4 << 20 });
#pragma warning restore QUIRE001
        Console.Write("made, ");
        AllocationFailure failure;
        while (allocator.TryAllocate(out _, out failure))
        {
        }

        Console.WriteLine(failure);
    }

    private static void Hold(int times)
    {
#pragma warning disable QUIRE001 // Held until the process ends: a holder for others to find. It trims nothing by itself, which would be an event.
        PageAllocator allocator = new(new PageAllocatorOptions { Name = "child", LimitBytes = 64 << 20, TrimInterval = Timeout.InfiniteTimeSpan });
        Page kept = allocator.Allocate(member: "Keep");
#pragma warning restore QUIRE001
        Console.WriteLine(Environment.ProcessId);
        for (int i = 0; i < times; i++)
        {
            allocator.Allocate(member: "Work").Put();
            Thread.Sleep(1);
        }

        GC.KeepAlive(kept);
    }

    private sealed class Waiting : EventListener
    {
        internal bool? CameThrough { get; private set; }

        protected override void OnEventSourceCreated(EventSource eventSource)
        {
            if (eventSource.Name == "Quire")
            {
                EnableEvents(eventSource, EventLevel.Informational);
            }
        }

        protected override void OnEventWritten(EventWrittenEventArgs eventData)
        {
            if (eventData.EventName == "RecordingStarted")
            {
                // The other thread runs no code of this module, whose initializer has not ended.
                CameThrough = Task.Run(TracingStart.Once).Wait(TimeSpan.FromSeconds(40));
            }
        }
    }
}
