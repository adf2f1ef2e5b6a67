using Xunit;

namespace Quire.Tests.Tracing.Rings;

/// <summary>What threads write is what a reader finds.</summary>
[Collection(LedgerCollection.Name)]
public sealed class RecordingTests : IDisposable
{
    private readonly RecordingFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Events_of_many_threads_come_back_complete_and_in_each_threads_order()
    {
        const int Threads = 8;
        const ulong Events = 5000;
        using TraceSession session = TraceSession.Start(_folder.Options with { RingBytes = 600 << 10 });
        using Barrier together = new(Threads);
        int[] ids = new int[Threads];
        RunThreads(Threads, me =>
        {
            ids[me] = TraceFileCalls.Current!.ThreadId;
            together.SignalAndWait();
            for (ulong i = 0; i < Events; i++)
            {
                ProofEvent.Write((uint)me + 1, i);
            }

            // All at once alive, so that none adopts another's ring.
            together.SignalAndWait();
        });
        Assert.Equal(Threads * (long)Events, session.Written);
        session.Stop();
        Assert.Equal((Threads * (long)Events, 0), (session.Written, session.Lost));

        QringFile file = QringFile.Read(session.Path);
        Assert.Equal(2u, file.State);
        Assert.Equal(Threads, file.Rings.Count);
        foreach (QringFile.Ring ring in file.Rings)
        {
            (uint writer, (ulong First, ulong Last) range) = Assert.Single(ProofEvent.Check(file, ring));
            Assert.Equal((0ul, Events - 1), range);
            Assert.Equal(ids[writer - 1], ring.ThreadId);
            Assert.All(ring.Events, e => Assert.Equal(ring.ThreadId, e.Pid));
            Assert.Contains(file.Threads, thread => thread.Id == ring.ThreadId && thread.Name == $"writer {writer - 1}" && thread.ManagedId != 0);
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(682)]
    [InlineData(683)]
    [InlineData(640)]
    [InlineData(639)]
    [InlineData(641)]
    [InlineData(1280)]
    [InlineData(9999)]
    public void A_full_ring_keeps_the_newest_and_what_was_overwritten_is_counted_to_the_event(int events)
    {
        using TraceSession session = TraceSession.Start(_folder.Options);
        WriteOnOneThread(events);
        long capacity = ((64 << 10) - 4096) / 96;
        long lost = Math.Max(0, events - capacity);
        Assert.Equal((events, lost), (session.Written, session.Lost));
        session.Stop();
        Assert.Equal((events, lost), (session.Written, session.Lost));

        QringFile file = QringFile.Read(session.Path);
        QringFile.Ring ring = Assert.Single(file.Rings);
        Assert.Equal((0u, events, capacity, 0), (ring.Mode, ring.Head, ring.Capacity, ring.Lost));
        Assert.Equal(Math.Min(events, capacity), ring.Events.Count);
        Assert.Equal(((ulong)lost, (ulong)events - 1), Assert.Single(ProofEvent.Check(file, ring)).Value);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(640)]
    [InlineData(641)]
    [InlineData(9999)]
    public void A_ring_that_stops_when_full_keeps_the_oldest_and_counts_what_came_later(int events)
    {
        using TraceSession session = TraceSession.Start(_folder.Options with { Overflow = TraceOverflow.StopWhenFull });
        WriteOnOneThread(events);
        session.Stop();

        QringFile file = QringFile.Read(session.Path);
        QringFile.Ring ring = Assert.Single(file.Rings);
        long kept = Math.Min(events, ring.Capacity);
        Assert.Equal((1u, kept, events - kept), (ring.Mode, ring.Head, ring.Lost));
        Assert.Equal((kept, events - kept), (session.Written, session.Lost));
        Assert.Equal((0ul, (ulong)kept - 1), Assert.Single(ProofEvent.Check(file, ring)).Value);
    }

    [Theory]
    [InlineData(TraceOverflow.OverwriteOldest)]
    [InlineData(TraceOverflow.StopWhenFull)]
    public void A_thread_that_adopts_a_ring_goes_on_where_the_dead_one_stopped(TraceOverflow overflow)
    {
        using TraceSession session = TraceSession.Start(_folder.Options with { Overflow = overflow });
        const int Each = 400;
        for (uint writer = 0; writer < 5; writer++)
        {
            RunThreads(1, _ =>
            {
                for (ulong i = 0; i < Each; i++)
                {
                    ProofEvent.Write(writer, i);
                }
            });
        }

        session.Stop();
        QringFile file = QringFile.Read(session.Path);
        QringFile.Ring ring = Assert.Single(file.Rings);
        Assert.Equal(5 * Each, session.Lost + ring.Events.Count);
        Dictionary<uint, (ulong First, ulong Last)> writers = ProofEvent.Check(file, ring);
        Assert.Equal(overflow == TraceOverflow.StopWhenFull ? [0u, 1u] : [3u, 4u], writers.Keys.Order());
        Assert.Equal(5, file.Threads.Count);
    }

    [Fact]
    public void Three_thousand_threads_leave_as_many_rings_as_lived_at_once()
    {
        const int Threads = 3000;
        const int AtOnce = 4;
        using TraceSession session = TraceSession.Start(_folder.Options with { RingBytes = 800 << 10 });
        int before = TraceThreads.Count;
        Queue<Thread> running = [];
        for (int i = 0; i < Threads; i++)
        {
            uint writer = (uint)i + 1;
            Thread thread = new(() =>
            {
                ProofEvent.Write(writer, 0);
                ProofEvent.Write(writer, 1);
            });
            thread.Start();
            running.Enqueue(thread);
            if (running.Count == AtOnce)
            {
                running.Dequeue().Join();
            }
        }

        while (running.TryDequeue(out Thread? thread))
        {
            thread.Join();
        }

        session.Stop();
        QringFile file = QringFile.Read(session.Path);
        Assert.InRange(file.Rings.Count, 1, AtOnce);
        Assert.InRange(TraceThreads.Count, 1, Math.Max(before, AtOnce + 2));
        Dictionary<uint, (ulong First, ulong Last)> writers = file.Rings.SelectMany(ring => ProofEvent.Check(file, ring)).ToDictionary();
        Assert.Equal(Threads, writers.Count);
        Assert.All(writers.Values, range => Assert.Equal((0ul, 1ul), range));
    }

    [Fact]
    public void A_thread_that_gets_no_ring_loses_its_events_counted_until_a_dead_one_leaves_it_a_ring()
    {
        using TraceSession session = TraceSession.Start(_folder.Options with { RingBytes = 8 << 20, MaximumBytes = 15 << 20 });
        using SemaphoreSlim hasRing = new(0);
        using SemaphoreSlim mayEnd = new(0);
        Thread first = new(() =>
        {
            ProofEvent.Write(1, 0);
            hasRing.Release();
            mayEnd.Wait();
        })
        { IsBackground = true };
        first.Start();
        hasRing.Wait();
        const int Poor = 100;
        WriteOnOneThread(Poor);
        Assert.Equal((1, Poor), (session.Written, session.Lost));

        // The heir has no ring at first, and finds one later.
        int lost = 0;
        RunThreads(1, _ =>
        {
            ProofEvent.Write(3, 0);
            mayEnd.Release();
            first.Join();
            for (lost = 1; session.Written == 1 && lost < 10_000; lost++)
            {
                ProofEvent.Write(3, (ulong)lost);
            }
        });
        lost--;
        Assert.InRange(lost, 1, (int)TraceRing.RetryEvery);
        session.Stop();
        Assert.Equal((2, Poor + lost), (session.Written, session.Lost));
        QringFile file = QringFile.Read(session.Path);
        Assert.Equal(Poor + lost, file.LostWithoutRing);
        Assert.Equal([1u, 3u], ProofEvent.Check(file, Assert.Single(file.Rings)).Keys);
    }

    [Fact]
    public void Each_recording_gets_the_events_written_while_it_ran_and_no_others()
    {
        ProofEvent.Write(9, 0);
        for (uint round = 0; round < 3; round++)
        {
            using TraceSession session = TraceSession.Start(_folder.Options with { Path = _folder[$"{round}.qring"] });
            Assert.Same(session, TraceSession.Current);
            ProofEvent.Write(round, 5);
            ProofEvent.Write(round, 6);
            session.Stop();
            Assert.Null(TraceSession.Current);
            ProofEvent.Write(round, 7);
            session.Stop();

            QringFile file = QringFile.Read(session.Path);
            Assert.Equal((5ul, 6ul), Assert.Single(ProofEvent.Check(file, Assert.Single(file.Rings))).Value);
        }
    }

    [Fact]
    public void The_file_says_what_it_is_and_how_its_events_are_read()
    {
        long before = TraceClock.Now;
        using TraceSession session = TraceSession.Start(_folder.Options with { Properties = [new("sample", "8"), new("filter", "size>=4096")] });
        ProofEvent.Write(1, 0);
        session.Stop();
        QringFile file = QringFile.Read(session.Path);
        Assert.Equal((uint)Environment.ProcessId, file.ProcessId);
        Assert.InRange(file.Start, before, file.Stop);
        Assert.InRange(file.Stop, file.Start, TraceClock.Now);
        Assert.InRange(DateTime.UnixEpoch.AddTicks(file.StartSinceEpoch / 100), DateTime.UtcNow.AddMinutes(-1), DateTime.UtcNow);
        foreach (TracepointDefinition definition in TracepointTable.All)
        {
            Assert.Equal((definition.System, definition.FormatText()), file.Formats[(uint)definition.Id]);
        }

        Assert.Equal(("mono", "overwrite", "8", "size>=4096"), (file.Properties["clock"], file.Properties["overflow"], file.Properties["sample"], file.Properties["filter"]));
        Assert.Equal($"{Environment.ProcessId}", file.Properties["pid"]);
        Assert.Contains(".NET", file.Properties["runtime"], StringComparison.Ordinal);
        Assert.All((string[])["process", "command", "os"], key => Assert.NotEmpty(file.Properties[key]));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, new FileInfo(session.Path).UnixFileMode);
    }

    [Fact]
    public void Time_stamps_are_those_of_the_stopwatch()
    {
        for (int i = 0; i < 1000; i++)
        {
            long before = System.Diagnostics.Stopwatch.GetTimestamp();
            long now = TraceClock.Now;
            Assert.InRange(now, before, System.Diagnostics.Stopwatch.GetTimestamp());
        }
    }

    [Fact]
    public void A_snapshot_of_many_segments_comes_back_whole_and_one_left_open_says_so()
    {
        using TraceSession session = TraceSession.Start(_folder.Options);
        Fill(session.BeginSnapshot(SnapshotKind.Start), 10_000).Complete();
        Fill(session.BeginSnapshot(SnapshotKind.End), 10);
        session.Stop();

        QringFile file = QringFile.Read(session.Path);
        QringFile.Snapshot[] start = [.. file.Snapshots.Where(snapshot => snapshot.Which == 1)];
        Assert.True(start.Length > 1);
        Assert.All(start, snapshot => Assert.True(snapshot.IsComplete));
        Assert.Single(start.Select(snapshot => snapshot.Time).Distinct());
        Assert.Equal(Enumerable.Range(0, 10_000).Select(i => (7u, (ulong)i, 0u)), start.SelectMany(snapshot => snapshot.Records).Select(ProofEvent.Check));
        QringFile.Snapshot end = Assert.Single(file.Snapshots, snapshot => snapshot.Which == 2);
        Assert.False(end.IsComplete);
        Assert.Equal(10, end.Records.Count);
    }

    [Fact]
    public void A_snapshot_that_finds_no_room_counts_its_losses_and_is_never_complete()
    {
        using TraceSession session = TraceSession.Start(_folder.Options with { MaximumBytes = 1 << 20 });
        TraceSnapshot snapshot = Fill(session.BeginSnapshot(SnapshotKind.End), 20_000);
        snapshot.Complete();
        long lost = session.LostSnapshotRecords;
        session.Stop();
        Fill(snapshot, 1).Complete();
        Assert.Equal(lost, session.LostSnapshotRecords);

        QringFile file = QringFile.Read(session.Path);
        Assert.Equal(lost, file.LostSnapshotRecords);
        Assert.InRange(lost, 1, 19_999);
        Assert.Equal(20_000 - lost, file.Snapshots.Sum(part => part.Records.Count));
        Assert.DoesNotContain(file.Snapshots, part => part.IsComplete);
        Assert.InRange(new FileInfo(session.Path).Length, 1, 1 << 20);
    }

    [Fact]
    public void Texts_are_kept_when_rings_and_snapshots_have_taken_their_share_and_beyond_the_maximum_they_are_counted()
    {
        using TraceSession session = TraceSession.Start(_folder.Options with { RingBytes = 100 << 10, MaximumBytes = 4 << 20 });
        using Barrier together = new(60);
        RunThreads(60, me =>
        {
            ProofEvent.Write((uint)me, 0);
            together.SignalAndWait();
        });
        Fill(session.BeginSnapshot(SnapshotKind.End), 30_000);
        Assert.NotEqual((0, 0), (session.Lost, session.LostSnapshotRecords));
        Assert.Equal(0, session.LostTexts);
        string name = $"kept {Guid.NewGuid()} für \U0001F600";
        uint number = TextTable.NumberOf(name);
        Assert.Equal(0, session.LostTexts);
        uint large = TextTable.NumberOf(name + new string('x', 100_000));
        while (session.LostTexts == 0)
        {
            session.Texts.Stack(1, new uint[10_000], isPartial: true);
        }

        session.Stop();
        QringFile file = QringFile.Read(session.Path);
        Assert.Equal(name, file.Texts[number]);
        Assert.Equal(name + new string('x', 100_000), file.Texts[large]);
        Assert.Equal(session.LostTexts, file.LostTexts);
        Assert.InRange(new FileInfo(session.Path).Length, 1, 4 << 20);
    }

    [Fact]
    public void The_first_event_of_a_thread_survives_an_interrupt_and_keeps_it_for_the_next_wait()
    {
        using TraceSession session = TraceSession.Start(_folder.Options);
        bool interrupted = false;
        RunThreads(1, _ =>
        {
            Thread.CurrentThread.Interrupt();
            ProofEvent.Write(1, 0);
            interrupted = Record.Exception(() => Thread.Sleep(1000)) is ThreadInterruptedException;
        });
        session.Stop();
        Assert.True(interrupted);
        Assert.Equal((1, 0), (session.Written, session.Lost));
    }

    [Fact]
    public void Writing_makes_no_garbage_once_the_thread_has_its_ring()
    {
        using TraceSession session = TraceSession.Start(_folder.Options);
        ProofEvent.Write(1, 0);
        Assert.Equal(0, Garbage.Least(3, static () =>
        {
            for (ulong i = 0; i < 100_000; i++)
            {
                ProofEvent.Write(1, i);
            }
        }));
    }

    [Fact]
    public void A_second_recording_is_refused_by_the_name_of_the_first()
    {
        using TraceSession session = TraceSession.Start(_folder.Options);
        InvalidOperationException refused = Assert.Throws<InvalidOperationException>(() => TraceSession.Start(_folder.Options with { Path = _folder["b.qring"] }));
        Assert.Contains(session.Path, refused.Message, StringComparison.Ordinal);
        Assert.False(File.Exists(_folder["b.qring"]));
    }

    internal static void RunThreads(int count, Action<int> body)
    {
        Exception? failure = null;
        Thread[] threads = [.. Enumerable.Range(0, count).Select(me => new Thread(() => Interlocked.CompareExchange(ref failure, Record.Exception(() => body(me)), null)) { Name = $"writer {me}" })];
        Array.ForEach(threads, thread => thread.Start());
        Array.ForEach(threads, thread => thread.Join());
        Assert.True(failure is null, failure?.ToString());
    }

    private static void WriteOnOneThread(int events) => RunThreads(1, _ =>
    {
        for (int i = 0; i < events; i++)
        {
            ProofEvent.Write(2, (ulong)i);
        }
    });

    private static TraceSnapshot Fill(TraceSnapshot snapshot, int records)
    {
        for (int i = 0; i < records; i++)
        {
            PageRefEvent e = ProofEvent.Make(7, (ulong)i);
            snapshot.Write(ProofEvent.Id, ref e);
        }

        return snapshot;
    }
}
