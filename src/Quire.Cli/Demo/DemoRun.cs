using System.Diagnostics;

namespace Quire.Cli.Demo;

/// <summary>The main job, step by step. Nothing is told that did not happen: the report is made of what was counted, and each promise is checked.</summary>
internal sealed class DemoRun(TimeSpan length, TextWriter progress)
{
    private const long AreaBytes = 32 << 20;
    private const int KeptPayloads = 4096;

    /// <summary>For the attempt that must fail: several times what a short pin takes.</summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromMilliseconds(250);

    /// <summary>For the one that must not: a thread may lose its core in the midst of a short pin.</summary>
    private static readonly TimeSpan s_longPatience = TimeSpan.FromSeconds(30);

    private readonly List<string> _faults = [];

    internal DemoReport Run()
    {
        using IDisposable tracking = Holders.Track();
        PageAllocator allocator = new(new PageAllocatorOptions { Name = "demo", LimitBytes = 256 << 20 });
        DemoReport report = Run(allocator);
        try
        {
            allocator.Dispose();
        }
        catch (PagesStillHeldException held)
        {
            _faults.Add(held.Message);
        }

        return report with { Faults = _faults };
    }

    private DemoReport Run(PageAllocator allocator)
    {
        ContiguousArea area = ContiguousArea.Reserve(allocator, AreaBytes, "camera");
        RecentPayloads recent = new(allocator, KeptPayloads);
        using Traffic traffic = new(allocator, recent);
        progress.WriteLine($"area '{area.Name}': {area.Bytes >> 20} MiB, {area.GetStatistics().LentPages:N0} of {area.Pages:N0} pages lent to recent payloads");
        traffic.Start();

        // Let everything be compiled and warm before the collector's bytes are counted.
        Thread.Sleep(length / 4);
        long collected = GC.GetTotalAllocatedBytes(precise: true);
        long counted = traffic.Received;
        Thread.Sleep(length / 4);
        long datagrams = traffic.Received - counted;
        double bytesEach = datagrams == 0 ? double.NaN : (double)(GC.GetTotalAllocatedBytes(precise: true) - collected) / datagrams;
        progress.WriteLine($"relaying: {traffic.Received:N0} datagrams so far");

        using ForgetfulAuditor auditor = new(recent[KeptPayloads / 2]);
        DemoAttempt first = Attempt(area, s_patience, out ContiguousRange unexpected);
        for (int again = 0; first is { Result: "busy", BusyPages.Count: > 1 } && again < 40; again++)
        {
            // Beside the auditor's, a short pin of the relay: its thread lost its core. It ends, and is nobody's fault.
            first = Attempt(area, s_patience, out unexpected);
        }

        if (first.Result == "success")
        {
            area.Release(unexpected);
        }

        CheckBlame(first);
        progress.WriteLine();
        progress.WriteLine(first.Verdict);
        auditor.LetGo();
        progress.WriteLine();
        progress.WriteLine("the auditor lets go; the same allocation again:");
        DemoAttempt second = Attempt(area, s_longPatience, out ContiguousRange range);
        Expect(second.Result == "success", $"The second allocation failed: {second.Verdict}");
        if (second.Result == "success")
        {
            progress.WriteLine($"success: {second.Pages:N0} pages in one piece at frame 0x{range.FirstFrame:x}, {second.Milliseconds:F1} ms, {area.GetStatistics().PagesMigrated:N0} pages migrated");
            range.Span.Fill(0xA5);
            area.Release(range);
        }

        Thread.Sleep(length / 2);
        traffic.Stop();
        return Report(allocator, area, recent, traffic) with { FirstAttempt = first, SecondAttempt = second, GcBytesPerDatagram = bytesEach };
    }

    /// <summary>The whole area at once, while datagrams flow: every lent page has to move.</summary>
    private static DemoAttempt Attempt(ContiguousArea area, TimeSpan deadline, out ContiguousRange range)
    {
        long start = Stopwatch.GetTimestamp();
        return area.TryAllocate(area.Pages, out range, out ContiguousFailure? failure, deadline: deadline)
            ? new DemoAttempt("success", range.Pages, Stopwatch.GetElapsedTime(start).TotalMilliseconds, null, [])
            : DemoAttempt.Of(failure);
    }

    private void CheckBlame(DemoAttempt first)
    {
        Expect(first.Result == "busy", $"The first allocation should have been busy, and was: {first.Result}.");
        Expect(
            first.BusyPages is [{ Holders: [{ Member: "Audit" } holder] }] && holder.File.EndsWith("ForgetfulAuditor.cs", StringComparison.Ordinal) && holder.Line > 0,
            "The answer should name one page, held by ForgetfulAuditor.Audit alone.");
    }

    private DemoReport Report(PageAllocator allocator, ContiguousArea area, RecentPayloads recent, Traffic traffic)
    {
        int damaged = recent.CountDamaged();
        long migrated = area.GetStatistics().PagesMigrated;
        recent.Dispose();
        area.Dispose();
        long held = allocator.GetStatistics().InUseFrames;
        Expect(traffic.Fault is null, $"A thread of the relay failed: {traffic.Fault}");
        Expect(traffic.Verified > 0 && traffic.Verified <= traffic.Received, "No datagram went all the way.");
        Expect(damaged == 0, $"{damaged} payloads do not hold what was written to them.");
        Expect(migrated > 0, "No page was migrated.");
        Expect(held == 0, $"{held} pages are held at the end.{Environment.NewLine}{Holders.Table()}");
        Expect(traffic.ReferencesTaken == traffic.ReferencesDropped, "References were taken and not dropped.");
        return new DemoReport
        {
            Seconds = length.TotalSeconds,
            Datagrams = traffic.Received,
            Bytes = traffic.ReceivedBytes,
            DatagramsForwarded = traffic.Forwarded,
            DatagramsVerified = traffic.Verified,
            DatagramsDropped = traffic.Dropped,
            PayloadsNotKept = traffic.NotKept,
            Fragments = traffic.Fragments,
            ReferencesTaken = traffic.ReferencesTaken + recent.Pins,
            ReferencesDropped = traffic.ReferencesDropped + recent.Pins,
            GcBytesPerDatagram = 0,
            PagesMigrated = migrated,
            PayloadsDamaged = damaged,
            FirstAttempt = null,
            SecondAttempt = null,
            PagesHeldAtEnd = held,
            Faults = [],
        };
    }

    private void Expect(bool happened, string otherwise)
    {
        if (!happened)
        {
            _faults.Add(otherwise);
        }
    }
}
