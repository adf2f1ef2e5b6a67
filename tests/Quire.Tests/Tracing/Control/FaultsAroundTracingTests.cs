using System.Diagnostics.Metrics;
using System.Reflection;
using Quire.Tests.Contiguous;
using Xunit;

namespace Quire.Tests.Tracing.Control;

/// <summary>What listeners, interrupts and failing files do to an application that is only being watched: nothing.</summary>
[Collection(LedgerCollection.Name)]
public sealed class FaultsAroundTracingTests : IDisposable
{
    private static uint s_head;
    private static PageAllocator? s_allocator;
    private static Page s_page;
    private static Page s_next;
    private readonly string _folder = Directory.CreateTempSubdirectory("quire-faults").FullName;

    public void Dispose()
    {
        PageTracing.Current?.Stop();
        Directory.Delete(_folder, recursive: true);
        Assert.False(Tracking.Active || Tracking.Recording || Tracking.Counting || Tracking.Selective || Tracking.Stacks);
    }

    [Fact]
    public void A_listener_of_the_meter_that_throws_costs_no_allocation_its_range()
    {
        int calls = 0;
        using MeterListener listener = Throwing(() => Interlocked.Increment(ref calls));
        using AreaFixture world = new();
        ContiguousRange range = world.Area.Allocate(16);
        Assert.True(range.IsAlive);
        world.Area.Release(range);
        Assert.True(Volatile.Read(ref calls) > 0);
    }

    [Fact]
    public void A_listener_of_the_meter_that_throws_does_not_hide_that_the_limit_is_reached()
    {
        int calls = 0;
        using MeterListener listener = Throwing(() => Interlocked.Increment(ref calls));
        using PageAllocator allocator = new(new PageAllocatorOptions { Name = "faults", LimitBytes = 4 << 20 });
        List<Page> pages = [];
        AllocationFailure failure = AllocationFailure.None;
        while (pages.Count <= 1024 && allocator.TryAllocate(out Page page, out failure))
        {
            pages.Add(page);
        }

        Assert.Equal(AllocationFailure.LimitReached, failure);
        Assert.True(Volatile.Read(ref calls) > 0);
        pages.ForEach(static page => page.Put());
    }

    [Fact]
    public void A_listener_of_the_meter_that_throws_at_a_bug_does_not_end_the_process()
    {
        using ManualResetEventSlim called = new();
        using MeterListener listener = Throwing(called.Set);
        TracingNotices.PageBug("a bug for a listener that throws");
        Assert.True(called.Wait(TimeSpan.FromSeconds(60)));
        Thread.Sleep(200);
    }

    [Fact]
    public void Metrics_and_recordings_pass_over_an_allocator_that_is_being_made()
    {
        PageAllocators.Introduce();
        bool stop = false;
        Exception? failed = null;
        Thread maker = new(() =>
        {
            try
            {
                while (!Volatile.Read(ref stop))
                {
                    new PageAllocator(new PageAllocatorOptions { Name = "made", LimitBytes = 4 << 20 }).Dispose();
                }
            }
            catch (Exception unexpected)
            {
                failed = unexpected;
            }
        });
        maker.Start();
        try
        {
            for (long end = Environment.TickCount64 + 2000; Environment.TickCount64 < end;)
            {
                Assert.All(TracingHooks.Metrics!(), static figures => Assert.True(figures.Limit > 0));
            }
        }
        finally
        {
            Volatile.Write(ref stop, true);
            Assert.True(maker.Join(TimeSpan.FromSeconds(60)), "an allocator never came to be, or to its end");
        }

        Assert.Null(failed);
    }

    [Fact]
    public void Whoever_waited_for_another_s_stop_can_start_the_next_recording()
    {
        PageTracingSession session = PageTracing.Start(Options("stopped"));
        Thread first = new(session.Stop);
        bool? isOver = null;
        Thread second = new(() =>
        {
            session.Stop();
            isOver = PageTracing.Current is null;
        });

        // The first comes as far as the sum of events, which whoever reads the meter may have at that moment.
        Lock totals = (Lock)typeof(PageTracing).GetField("s_totalsGate", BindingFlags.Static | BindingFlags.NonPublic)!.GetValue(null)!;
        lock (totals)
        {
            first.Start();
            Assert.True(SpinWait.SpinUntil(() => !session.IsRunning, TimeSpan.FromSeconds(60)));
            second.Start();
            second.Join(300);
        }

        first.Join();
        second.Join();
        Assert.True(isOver, "Stop returned, and the recording still stood in the next one's way");
    }

    [Fact]
    public void A_thread_without_a_ring_keeps_nobody_from_a_page_s_raw_records_while_it_gets_one()
    {
        const ulong Identity = (9ul << Ledger.FrameBits) | 0xFFE_0009;
        using PageTracingSession session = PageTracing.Start(Options("gate"));
        using ManualResetEventSlim hasRing = new();
        using ManualResetEventSlim goOn = new();
        Thread other = new(() =>
        {
            Ledger.TakeRaw(ref s_head, Identity, 2, 0);
            hasRing.Set();
            goOn.Wait();
            Ledger.ReleaseRaw(ref s_head, Identity, 1, 0);
        });
        Thread newcomer = new(() => Ledger.ReleaseRaw(ref s_head, Identity, 1, 0));
        other.Start();
        hasRing.Wait();
        object rings = typeof(TraceThreads).GetField("s_gate", BindingFlags.Static | BindingFlags.NonPublic)!.GetValue(null)!;
        bool cameThrough;
        lock (rings)
        {
            newcomer.Start();
            Assert.True(SpinWait.SpinUntil(() => (newcomer.ThreadState & ThreadState.WaitSleepJoin) != 0, TimeSpan.FromSeconds(60)));
            goOn.Set();
            cameThrough = other.Join(TimeSpan.FromSeconds(60));
        }

        newcomer.Join();
        other.Join();
        Assert.True(cameThrough, "the newcomer waited for its ring with the gate of the records held");
        Assert.Equal(0u, s_head);
    }

    [Fact]
    public void A_recording_whose_file_can_not_be_closed_in_order_does_not_stand_in_the_next_one_s_way()
    {
        PageTracingSession session = PageTracing.Start(Options("broken"));
        object file = Field(Field(session, "_file"), "_file");
        ((FileStream)Field(file, "_stream")).Dispose();
        Assert.Throws<IOException>(session.Stop);
        PageTracing.Start(Options("next")).Stop();
    }

    [Fact]
    public void A_leak_scope_refuses_to_begin_while_only_some_references_are_recorded()
    {
        using (PageTracing.Start(Options("sampled") with { SampleEvery = 1000 }))
        {
            InvalidOperationException refused = Assert.Throws<InvalidOperationException>(static () => new PageLeakScope());
            Assert.Contains("sampled", refused.Message, StringComparison.Ordinal);
            using PageAllocator allocator = new(new PageAllocatorOptions { Name = "faults", LimitBytes = 4 << 20 });
            Assert.Throws<InvalidOperationException>(() => new PageLeakScope(allocator));
        }

        using PageLeakScope scope = new();
        Assert.Throws<InvalidOperationException>(() => PageTracing.Start(Options("refused") with { SampleEvery = 1000 }));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void An_interrupt_that_comes_while_a_text_gets_its_number_waits_for_the_application_s_own_wait(bool isSite)
    {
        using Blocking sink = new($"blocks {Guid.NewGuid()}");
        TextTable.Attach(sink);
        Thread first = new(() => Number(isSite, sink.Text));
        first.Start();
        try
        {
            Assert.True(sink.IsIn.Wait(TimeSpan.FromSeconds(60)));
            uint number = 0;
            string? wrong = null;
            Thread second = new(() =>
            {
                Thread.CurrentThread.Interrupt();
                try
                {
                    number = Number(isSite, sink.Text + " second");
                }
                catch (ThreadInterruptedException)
                {
                    wrong = "the interrupt came out of the look-up: in the midst of taking or dropping a reference";
                    return;
                }

                try
                {
                    Thread.Sleep(1);
                    wrong = "the interrupt was lost";
                }
                catch (ThreadInterruptedException)
                {
                    // Where it belongs.
                }
            });
            second.Start();
            Thread.Sleep(100);
            sink.GoOn.Set();
            second.Join();
            Assert.Null(wrong);
            Assert.NotEqual(0u, number);
        }
        finally
        {
            sink.GoOn.Set();
            first.Join();
            TextTable.Detach(sink);
        }
    }

    [Fact]
    public void A_listener_told_of_the_recording_s_start_may_wait_for_a_thread_that_makes_an_allocator()
    {
        using ChildProcess child = TracingChild.Start(TracingChild.Listener, $"QUIRE_TRACE={Path.Combine(_folder, "listener")}");
        Assert.Equal(0, child.WaitForExit(TimeSpan.FromSeconds(120)));
        Assert.Equal("waited True\n", child.Output);
    }

    [Fact]
    public void A_listener_of_the_meter_that_throws_when_it_first_sees_it_keeps_no_allocator_from_being_made()
    {
        using ChildProcess child = TracingChild.Start(TracingChild.BadListener);
        Assert.Equal(0, child.WaitForExit(TimeSpan.FromSeconds(60)));
        Assert.Equal("made, LimitReached\n", child.Output);
    }

    [Fact]
    public unsafe void A_reference_that_a_speculative_add_gives_to_the_frame_s_next_page_is_that_page_s_in_the_recording_too()
    {
        delegate*<PageDescriptor*, int> pins = PageRefEvents.PinsOf;
        using PageAllocator allocator = new(new PageAllocatorOptions { Name = "faults", LimitBytes = 4 << 20 });
        allocator.Allocate().Put();
        ulong first;
        using (PageTracing.Start(Options("unless")))
        {
            (s_allocator, s_page) = (allocator, allocator.Allocate());
            PageDescriptor* head = PageMap.Descriptor(s_page.FrameNumber);
            first = (ulong)PageIdentity.Generation(head->Identity);
            try
            {
                // Asked for while the event is made, before the count is touched: the moment in which the page becomes another.
                PageRefEvents.PinsOf = &Swap;
                head->Mapping = 1;
                Assert.False(PageRef.AddUnless(s_page, 1, 7));
                Assert.Equal(0, head->Mapping);
            }
            finally
            {
                head->Mapping = 0;
                PageRefEvents.PinsOf = pins;
            }

            Assert.Equal(s_page.FrameNumber, s_next.FrameNumber);
            s_next.Put();
        }

        PageRefEvent[] events = [.. RawRecording.Read(Path.Combine(_folder, "unless")).Events
            .Where(static raw => raw.Id is Tracepoint.PageRefModUnless or Tracepoint.PageRefModAndTest)
            .Select(static raw => raw.As<PageRefEvent>())];
        Assert.Equal([(first, 0), (first + 1, 2), (first + 1, 1), (first + 1, 0)], events.Select(static told => (told.Generation, told.Count)));
    }

    private static unsafe int Swap(PageDescriptor* head)
    {
        head->Mapping = 0;
        s_page.Put();
        s_next = s_allocator!.Allocate();
        return 0;
    }

    private static uint Number(bool isSite, string text) => isSite ? CallSiteTable.NumberOf("Faults.cs", 1, text) : TextTable.NumberOf(text);

    private PageTracingOptions Options(string name) => new() { Path = Path.Combine(_folder, name), RingBytes = 8192, MaximumBytes = 4 << 20 };

    private static object Field(object of, string name) =>
        of.GetType().GetField(name, BindingFlags.Instance | BindingFlags.NonPublic)!.GetValue(of)!;

    private static MeterListener Throwing(Action called)
    {
        MeterListener listener = new()
        {
            InstrumentPublished = static (instrument, listener) =>
            {
                if (instrument.Meter.Name == "Quire" && !instrument.IsObservable)
                {
                    listener.EnableMeasurementEvents(instrument);
                }
            },
        };
        listener.SetMeasurementEventCallback<long>((_, _, _, _) => Throw(called));
        listener.SetMeasurementEventCallback<double>((_, _, _, _) => Throw(called));
        TracingStart.Once();
        listener.Start();
        return listener;
    }

    private static void Throw(Action called)
    {
        called();
        throw new InvalidTimeZoneException("the listener's own fault");
    }

    private sealed class Blocking(string text) : ITextSink, IDisposable
    {
        internal readonly ManualResetEventSlim IsIn = new();
        internal readonly ManualResetEventSlim GoOn = new();

        internal string Text { get; } = text;

        void ITextSink.Text(uint number, string text)
        {
            if (text.EndsWith(Text, StringComparison.Ordinal))
            {
                IsIn.Set();
                GoOn.Wait();
            }
        }

        public void Stack(uint number, ReadOnlySpan<uint> frames, bool isPartial)
        {
        }

        public void Dispose()
        {
            IsIn.Dispose();
            GoOn.Dispose();
        }
    }
}
