using System.Runtime.InteropServices;
using Xunit;

namespace Quire.Tests.Tracing.Rings;

/// <summary>Recordings that end while threads write: a write into a mapping that is gone would end the process.</summary>
[Collection(LedgerCollection.Name)]
public sealed unsafe class RecordingStopTests
{
    [Fact]
    public void A_ring_once_closed_gets_not_one_event_more()
    {
        const int Slots = 1000;
        const int Bytes = TraceLayout.HeaderBytes + (Slots * TraceLayout.SlotBytes);
        byte* memory = (byte*)NativeMemory.AlignedAlloc(Bytes, 64);
        NativeMemory.Clear(memory, Bytes);
        TraceSegment segment = new(null!, memory, Bytes);
        segment.Header->Capacity = Slots;
        nint ring = (nint)TraceRing.Create();
        bool isOver = false;
        Thread owner = new(() =>
        {
            for (long time = 0; !Volatile.Read(ref isOver); time++)
            {
                HolderCountEvent e = default;
                ((TraceRing*)ring)->TryWrite(Tracepoint.HolderCount, ref e, time);
            }
        });
        owner.Start();
        int closed = 0;
        int under = 0;
        string? failure = null;

        // Where the machine is busy the two are seldom at work at once: then it takes longer.
        long began = Environment.TickCount64;
        for (; failure is null && (Environment.TickCount64 < began + 1500 || (under <= 100 && Environment.TickCount64 < began + 60_000)); closed++)
        {
            ulong before = segment.Header->Head;
            ((TraceRing*)ring)->Open(segment, null);
            Thread.SpinWait(closed % 50);
            TraceRing.Close([ring]);
            ulong head = Volatile.Read(ref segment.Header->Head);
            Thread.SpinWait(10);
            under += head != before ? 1 : 0;
            failure = Volatile.Read(ref segment.Header->Head) != head ? $"an event was written after close {closed}" : null;
        }

        Volatile.Write(ref isOver, true);
        owner.Join();
        NativeMemory.AlignedFree((void*)ring);
        NativeMemory.AlignedFree(memory);
        Assert.True(failure is null, failure);
        Assert.True(under > 100, $"only {under} of {closed} closes met an owner at work");
    }

    [Fact]
    public void Recordings_stopped_under_their_writers_are_whole_and_end_in_order()
    {
        using RecordingFolder folder = new();
        bool isOver = false;
        int recordings = 0;
        long events = 0;
        Thread[] writers = [.. Enumerable.Range(1, 3).Select(me => new Thread(() =>
        {
            for (ulong i = 0; !Volatile.Read(ref isOver); i++)
            {
                ProofEvent.Write((uint)me, i);
            }
        }))];
        Array.ForEach(writers, thread => thread.Start());

        // Beside them threads that come and go, whose rings change hands.
        Thread visitors = new(() =>
        {
            for (uint visitor = 100; !Volatile.Read(ref isOver); visitor++)
            {
                Thread thread = new(() =>
                {
                    ProofEvent.Write(visitor, 0);
                    ProofEvent.Write(visitor, 1);
                });
                thread.Start();
                thread.Join();
            }
        });
        visitors.Start();
        Exception? failure = Record.Exception(() =>
        {
            for (Func<bool> goOn = Trial.For(2500, () => recordings > 10 && events > 1000); goOn(); recordings++)
            {
                using TraceSession session = TraceSession.Start(folder.Options with { Path = folder[$"{recordings}.qring"], Overflow = (TraceOverflow)(recordings % 2) });
                SpinWait spin = default;
                while (session.Written < recordings % 7 * 200)
                {
                    spin.SpinOnce();
                }

                session.Stop();
                QringFile file = QringFile.Read(session.Path);
                Assert.Equal(2u, file.State);
                Assert.Equal(session.Written, file.Rings.Sum(ring => ring.Head));
                Assert.Equal(session.Lost, file.LostWithoutRing + file.Rings.Sum(ring => ring.Lost + ring.Head - ring.Events.Count));
                foreach (QringFile.Ring ring in file.Rings)
                {
                    ProofEvent.Check(file, ring);
                    events += ring.Events.Count;
                }

                File.Delete(session.Path);
            }
        });
        Volatile.Write(ref isOver, true);
        Array.ForEach(writers, thread => thread.Join());
        visitors.Join();
        Assert.True(failure is null, $"recording {recordings}: {failure}");
        Assert.True(recordings > 10 && events > 1000, $"{recordings} recordings, {events} events");
        TestContext.Current.TestOutputHelper?.WriteLine($"{recordings} recordings, {events} events");
    }
}
