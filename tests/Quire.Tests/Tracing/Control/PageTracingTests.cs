using Xunit;

namespace Quire.Tests.Tracing.Control;

/// <summary>Starting and stopping recordings in this process. Alone: there is one recording, and one ledger.</summary>
[Collection(LedgerCollection.Name)]
public sealed class PageTracingTests : IDisposable
{
    private static ulong s_frame = 0x0FFF_0000;
    private readonly string _folder = Directory.CreateTempSubdirectory("quire-control").FullName;

    // What dead threads of other tests left with the shared allocator goes now: its timer would put it into a recording, as events of theirs.
    public PageTracingTests() => PageAllocator.Shared.Trim();

    public void Dispose()
    {
        PageTracing.Current?.Stop();
        Directory.Delete(_folder, recursive: true);
        Assert.False(Tracking.Active || Tracking.Recording || Tracking.Counting || Tracking.Selective || Tracking.Stacks);
    }

    [Fact]
    public void A_recording_has_who_held_what_before_what_happened_and_who_holds_what_after()
    {
        uint before = Take("Before", out ulong heldBefore);
        uint during;
        ulong heldDuring;
        long started;
        using (PageTracingSession session = PageTracing.Start(new PageTracingOptions { Path = File("a") }))
        {
            started = TraceClock.Now;
            Assert.True(PageTracing.IsRecording && session.IsRunning && Tracking.Active && Tracking.Recording && Tracking.Counting);
            Assert.False(Tracking.Selective || Tracking.Stacks);
            Assert.Same(session, PageTracing.Current);
            during = Take("During", out heldDuring);
            Release(before, heldBefore);
            Assert.True(session.Written >= 2);
        }

        Assert.False(PageTracing.IsRecording);
        RawRecording recording = RawRecording.Read(File("a"));
        Assert.True(recording.IsStopped);
        HolderTakeEvent old = Assert.Single(States(recording, 1), state => state.Ticket == before);
        Assert.Equal((heldBefore & Ledger.FrameMask, heldBefore >> Ledger.FrameBits, 1, 23u, (uint)HolderKind.Fragment), (old.Pfn, old.Generation, old.References, old.Bytes, old.Kind));
        Assert.Equal("Control.cs:7 Before", recording.Texts[old.Site]);
        Assert.InRange((long)old.Taken, recording.Snapshots[1][0].Time - 60_000_000_000, started);
        Assert.DoesNotContain(States(recording, 1), state => state.Ticket == during);

        HolderTakeEvent taken = Assert.Single(recording.Events, static raw => raw.Id == Tracepoint.HolderTake).As<HolderTakeEvent>();
        Assert.Equal((during, "Control.cs:7 During"), (taken.Ticket, recording.Texts[taken.Site]));
        Assert.Equal(before, Assert.Single(recording.Events, static raw => raw.Id == Tracepoint.HolderRelease).As<HolderReleaseEvent>().Ticket);

        Assert.Contains(States(recording, 2), state => state.Ticket == during);
        Assert.DoesNotContain(States(recording, 2), state => state.Ticket == before);
        Release(during, heldDuring);
    }

    [Fact]
    public void A_snapshot_bears_a_time_before_all_that_changed_while_it_was_written()
    {
        bool stop = false;
        ulong frame = Interlocked.Increment(ref s_frame);
        Thread worker = new(() =>
        {
            uint[] tickets = new uint[300];
            while (!Volatile.Read(ref stop))
            {
                // The ring has room for 699,008 events: a recorder that is kept from its core must not find that it has turned. Asked of the
                // file: the recording itself is not to be had before its first snapshot is written.
                if (TraceSession.Current is { Written: > 600_000 })
                {
                    Thread.Sleep(1);
                    continue;
                }

                // Many at a time: what a wrong order loses is then many tickets, and not the one that may be between the ledger and its event.
                int count = 0;
                while (Tracking.Active && count < tickets.Length)
                {
                    tickets[count++] = Ledger.Take(frame, 1, 1, HolderKind.Raw, Origin.Here("Busy.cs", 1, "Busy"));
                }

                for (int i = 0; i < count; i++)
                {
                    Ledger.Release(tickets[i], frame, 1, Origin.Here("Busy.cs", 2, "Busy"));
                }
            }
        });
        List<(uint, ulong)> held = [.. Enumerable.Range(0, 500).Select(_ => (Take("Held", out ulong identity), identity))];
        // On already, so that the worker is in full swing when a recording begins.
        using IDisposable tracking = Holders.Track();
        worker.Start();
        try
        {
            Replay();
        }
        finally
        {
            Volatile.Write(ref stop, true);
            worker.Join();
            held.ForEach(static pair => Release(pair.Item1, pair.Item2));
        }

        void Replay()
        {
            for (int round = 0; round < 20; round++)
            {
                using (PageTracingSession session = PageTracing.Start(new PageTracingOptions { Path = File($"s{round}"), RingBytes = 64 << 20, MaximumBytes = 512 << 20 }))
                {
                    Assert.True(SpinWait.SpinUntil(() => session.Written > 2000, TimeSpan.FromSeconds(60)));
                    session.Stop();
                    Assert.Equal(0, session.Lost);
                }

                RawRecording recording = RawRecording.Read(File($"s{round}"));
                AssertReplays(recording, (uint)frame, round);
                System.IO.File.Delete(File($"s{round}"));
            }
        }
    }

    [Fact]
    public void There_is_one_recording_and_a_second_start_names_it()
    {
        using PageTracingSession first = PageTracing.Start(new PageTracingOptions { Path = File("first") });
        InvalidOperationException second = Assert.Throws<InvalidOperationException>(() => PageTracing.Start(new PageTracingOptions { Path = File("second") }));
        Assert.Contains(first.Path, second.Message, StringComparison.Ordinal);
        Assert.False(System.IO.File.Exists(File("second")));
        Assert.True(first.IsRunning && Tracking.Recording);
        first.Stop();
        PageTracing.Start(new PageTracingOptions { Path = File("second") }).Dispose();
    }

    [Fact]
    public void Of_many_starts_at_once_one_succeeds_and_many_stops_are_one()
    {
        for (int round = 0; round < 5; round++)
        {
            int started = 0;
            Parallel.For(0, 8, new ParallelOptions { MaxDegreeOfParallelism = 8 }, i =>
            {
                try
                {
                    PageTracing.Start(new PageTracingOptions { Path = File($"r{round}-{i}") });
                    Interlocked.Increment(ref started);
                }
                catch (InvalidOperationException)
                {
                }
            });
            Assert.Equal(1, started);
            PageTracingSession session = PageTracing.Current!;
            Parallel.For(0, 8, _ =>
            {
                session.Stop();
                Assert.False(Tracking.Recording || session.IsRunning);
            });
            Assert.False(PageTracing.IsRecording || Tracking.Active);
            Assert.Single(Directory.GetFiles(_folder, $"r{round}-*"));
        }
    }

    [Fact]
    public void A_start_that_fails_leaves_nothing_and_the_next_one_works()
    {
        string missing = Path.Combine(_folder, "none", "a");
        Assert.Contains(missing, Assert.Throws<TraceFileException>(() => PageTracing.Start(new PageTracingOptions { Path = missing })).Message, StringComparison.Ordinal);
        AssertNothingRuns();

        Action<TraceSnapshot>? pages = TracingHooks.Pages;
        TracingHooks.Pages = static _ => throw new TimeoutException("the hook of a test");
        try
        {
            Assert.Throws<TimeoutException>(() => PageTracing.Start(new PageTracingOptions { Path = File("half"), Stacks = true, SampleEvery = 5 }));
        }
        finally
        {
            TracingHooks.Pages = pages;
        }

        AssertNothingRuns();
        Assert.False(Tracking.Selective || Tracking.Stacks);
        Assert.Equal(1, TraceAdmission.SampleEvery);
        Assert.Empty(Directory.GetFiles(_folder));
        PageTracing.Start(new PageTracingOptions { Path = File("half") }).Dispose();
    }

    [Fact]
    public void What_fails_at_the_end_is_told_and_the_recording_has_ended_all_the_same()
    {
        PageTracingSession session = PageTracing.Start(new PageTracingOptions { Path = File("end") });
        Action<TraceSnapshot>? pages = TracingHooks.Pages;
        TracingHooks.Pages = static _ => throw new TimeoutException("the hook of a test");
        try
        {
            Assert.Contains("the hook of a test", Assert.Throws<IOException>(session.Stop).Message, StringComparison.Ordinal);
        }
        finally
        {
            TracingHooks.Pages = pages;
        }

        AssertNothingRuns();
        Assert.True(RawRecording.Read(File("end")).IsStopped);
        session.Stop();
    }

    [Fact]
    public void A_file_that_exists_stays_unless_it_is_to_be_replaced()
    {
        System.IO.File.WriteAllText(File("old"), "precious");
        Assert.Throws<TraceFileException>(() => PageTracing.Start(new PageTracingOptions { Path = File("old") }));
        Assert.Equal("precious", System.IO.File.ReadAllText(File("old")));
        AssertNothingRuns();
        PageTracing.Start(new PageTracingOptions { Path = File("old"), Overwrite = true }).Dispose();
        Assert.True(RawRecording.Read(File("old")).IsStopped);
    }

    [Fact]
    public void The_process_s_number_takes_its_place_in_the_path()
    {
        using PageTracingSession session = PageTracing.Start(new PageTracingOptions { Path = File("run-{pid}") });
        Assert.Equal(File($"run-{Environment.ProcessId}"), session.Path);
        Assert.True(System.IO.File.Exists(session.Path));
    }

    [Fact]
    public void The_file_says_what_was_asked_for()
    {
        using (PageTracing.Start(new PageTracingOptions { Path = File("p"), SampleEvery = 50, Filter = TraceFilter.Parse("size>=64"), Overflow = TraceOverflow.StopWhenFull }))
        {
            Assert.True(Tracking.Selective);
            Assert.False(Tracking.Counting);
            Assert.Equal(50, PageTracing.SampleEvery);
        }

        Assert.Equal(1, PageTracing.SampleEvery);
        Dictionary<string, string> properties = RawRecording.Read(File("p")).Properties;
        Assert.Equal(("50", "size>=64", "stop"), (properties["sample"], properties["filter"], properties["overflow"]));
        Assert.StartsWith("call sites", properties["stacks"], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("page=1", true)]
    [InlineData("page=1 size>=1", false)]
    public void Bare_counts_are_events_only_where_the_filter_can_tell_which(string filter, bool expected)
    {
        using PageTracingSession session = PageTracing.Start(new PageTracingOptions { Path = File("c"), Filter = TraceFilter.Parse(filter) });
        Assert.Equal(expected, Tracking.Counting);
    }

    [Fact]
    public void A_sample_is_refused_while_references_are_tracked_in_full()
    {
        using (Holders.Track())
        {
            Assert.Contains("Holders.Track", Assert.Throws<InvalidOperationException>(() => PageTracing.Start(new PageTracingOptions { Path = File("t"), SampleEvery = 2 })).Message, StringComparison.Ordinal);
            Assert.Empty(Directory.GetFiles(_folder));
            PageTracing.Start(new PageTracingOptions { Path = File("t") }).Dispose();
            Assert.True(Tracking.Active);
        }
    }

    [Fact]
    public void Wrong_options_are_refused_by_name_before_anything_is_made()
    {
        (PageTracingOptions Options, string Name)[] wrong =
        [
            (new() { Path = " " }, "Path"), (new() { Path = "a\0b" }, "Path"), (new() { Path = File("w"), SampleEvery = 0 }, "SampleEvery"),
            (new() { Path = File("w"), RingBytes = 4096 }, "RingBytes"), (new() { Path = File("w"), MaximumBytes = 1 << 20 }, "MaximumBytes"),
            (new() { Path = File("w"), Overflow = (TraceOverflow)9 }, "Overflow"),
        ];
        foreach ((PageTracingOptions options, string name) in wrong)
        {
            Assert.Equal(name, Assert.ThrowsAny<ArgumentException>(() => PageTracing.Start(options)).ParamName);
            AssertNothingRuns();
        }

        Assert.Throws<ArgumentNullException>(() => PageTracing.Start(null!));
        Assert.Empty(Directory.GetFiles(_folder));
    }

    [Fact]
    public void Totals_only_grow_and_count_every_recording_once()
    {
        long before = PageTracing.Totals().Written;
        long sum = 0;
        for (int i = 0; i < 3; i++)
        {
            using PageTracingSession session = PageTracing.Start(new PageTracingOptions { Path = File($"n{i}") });
            Release(Take("Total", out ulong identity), identity);
            session.Stop();
            sum += session.Written;
            Assert.Equal(before + sum, PageTracing.Totals().Written);
            Assert.Equal(sum, 2 * (i + 1));
        }
    }

    /// <summary>In time order, the first snapshot and the events give the last snapshot, ticket by ticket, but for what changed after the time that the last one bears.</summary>
    private static void AssertReplays(RawRecording recording, uint frame, int round)
    {
        long end = recording.Snapshots[2][0].Time;
        HashSet<uint> live = [];
        HashSet<uint> unsure = [];
        foreach (RawEvent raw in recording.Snapshots[1].Concat(recording.Events).OrderBy(static raw => raw.Time))
        {
            if (raw.Id is Tracepoint.HolderTake or Tracepoint.HolderState)
            {
                live.Add(raw.As<HolderTakeEvent>().Ticket);
            }
            else if (raw.Id == Tracepoint.HolderRelease)
            {
                live.Remove(raw.As<HolderReleaseEvent>().Ticket);
            }

            if (raw.Time >= end)
            {
                unsure.Add(raw.Id == Tracepoint.HolderRelease ? raw.As<HolderReleaseEvent>().Ticket : raw.As<HolderTakeEvent>().Ticket);
            }
        }

        HashSet<uint> last = [.. States(recording, 2).Select(static state => state.Ticket)];
        Assert.True(recording.Events.Count > 0, $"round {round}: nothing happened");
        Assert.True(last.Count >= 500);
        live.SymmetricExceptWith(last);
        live.ExceptWith(unsure);

        // One operation may be between the ledger and its event at the moment when the flags go.
        Assert.True(live.Count <= 1, $"round {round}, frame 0x{frame:x}: {live.Count} tickets differ between the replay and the last snapshot");
    }

    private static void AssertNothingRuns()
    {
        Assert.False(PageTracing.IsRecording || Tracking.Active || Tracking.Recording || Tracking.Counting);
        Assert.Null(TraceSession.Current);
    }

    private static IEnumerable<HolderTakeEvent> States(RawRecording recording, uint which) =>
        recording.Snapshots[which].Where(static raw => raw.Id == Tracepoint.HolderState).Select(static raw => raw.As<HolderTakeEvent>());

    private static uint Take(string member, out ulong identity)
    {
        identity = Interlocked.Increment(ref s_frame) | (5ul << Ledger.FrameBits);
        return Ledger.Take(identity, 1, 23, HolderKind.Fragment, CallSiteTable.NumberOf("Control.cs", 7, member));
    }

    private static void Release(uint ticket, ulong identity) =>
        Assert.Equal(LedgerOutcome.Released, Ledger.Release(ticket, identity, 1, CallSiteTable.NumberOf("Control.cs", 9, "Release")).Outcome);

    private string File(string name) => Path.Combine(_folder, name);
}
