using System.Runtime.InteropServices;
using Xunit;

namespace Quire.Explore;

public sealed unsafe class TraceRingTests
{
    private const int Capacity = 3;
    private const int Bytes = TraceLayout.HeaderBytes + (Capacity * TraceLayout.SlotBytes);

    [Theory]
    [InlineData(TraceOverflow.OverwriteOldest)]
    [InlineData(TraceOverflow.StopWhenFull)]
    public void After_the_stop_nobody_writes_to_what_is_unmapped_and_every_event_is_written_or_counted(TraceOverflow overflow)
    {
        Explorer.Explore(scene =>
        {
            byte* memory = (byte*)NativeMemory.AllocZeroed(Bytes);
            TraceSegment segment = NewRing(memory, overflow);
            TraceRing* ring = TraceRing.Create();
            ring->Open(segment, null);
            int written = 0;
            byte[] unmapped = [];
            scene.Thread("owner", () =>
            {
                for (int i = 0; i < 7 && TryWrite(ring, i); i++)
                {
                    written++;
                }
            });
            scene.Thread("stopper", () =>
            {
                TraceRing.Close([(nint)ring]);

                // From here on the memory is another's.
                unmapped = new Span<byte>(memory, Bytes).ToArray();
            });
            scene.AtEnd(() =>
            {
                Assert.True(new Span<byte>(memory, Bytes).SequenceEqual(unmapped), "the owner wrote after the stop");
                Assert.Equal(written, (long)segment.Header->Head + segment.Header->Lost);
                Check(segment, isStopped: true);
            });
            scene.Afterwards(() =>
            {
                NativeMemory.Free(memory);
                NativeMemory.AlignedFree(ring);
            });
        });
    }

    [Fact]
    public void A_thread_without_a_ring_counts_its_events_only_while_the_count_is_mapped()
    {
        Explorer.Explore(scene =>
        {
            long* lost = (long*)NativeMemory.AllocZeroed(sizeof(long));
            TraceRing* ring = TraceRing.Create();
            ring->Open(null, lost);
            int written = 0;
            long atEnd = 0;
            scene.Thread("owner", () =>
            {
                for (int i = 0; i < 5 && TryWrite(ring, i); i++)
                {
                    written++;
                }
            });
            scene.Thread("stopper", () =>
            {
                TraceRing.Close([(nint)ring]);
                atEnd = *lost;
            });
            scene.AtEnd(() =>
            {
                Assert.Equal(atEnd, *lost);

                // The event that the stop overtook was counted, and then offered to the next recording.
                Assert.InRange(atEnd, written, written + 1);
            });
            scene.Afterwards(() =>
            {
                NativeMemory.Free(lost);
                NativeMemory.AlignedFree(ring);
            });
        });
    }

    [Fact]
    public void Whenever_the_process_dies_the_events_below_the_head_are_whole_but_for_the_one_being_overwritten()
    {
        Explorer.Explore(scene =>
        {
            byte* memory = (byte*)NativeMemory.AllocZeroed(Bytes);
            TraceSegment segment = NewRing(memory, TraceOverflow.OverwriteOldest);
            TraceRing* ring = TraceRing.Create();
            ring->Open(segment, null);
            scene.Thread("owner", () =>
            {
                for (int i = 0; i < 8; i++)
                {
                    Assert.True(TryWrite(ring, i));
                }
            });
            scene.Thread("death", () =>
            {
                for (int i = 0; i < 4; i++)
                {
                    Atomic.Point();
                    Check(segment, isStopped: false);
                }
            });
            scene.Afterwards(() =>
            {
                NativeMemory.Free(memory);
                NativeMemory.AlignedFree(ring);
            });
        });
    }

    private static TraceSegment NewRing(byte* memory, TraceOverflow overflow)
    {
        TraceSegment segment = new(null!, memory, Bytes);
        segment.Header->Mode = overflow;
        segment.Header->Capacity = Capacity;
        return segment;
    }

    // The time is the event's place in the order.
    private static bool TryWrite(TraceRing* ring, int n)
    {
        HolderCountEvent e = new() { Ticket = (uint)n, References = n * 3 };
        return ring->TryWrite(Tracepoint.HolderCount, ref e, n + 1000);
    }

    private static void Check(TraceSegment segment, bool isStopped)
    {
        long head = (long)segment.Header->Head;
        for (long i = Math.Max(0, head - Capacity + (isStopped ? 0 : 1)); i < head; i++)
        {
            byte* slot = segment.Data + (i % Capacity * TraceLayout.SlotBytes);
            HolderCountEvent e = *(HolderCountEvent*)(slot + sizeof(long));
            Assert.Equal((i + 1000, Tracepoint.HolderCount, (uint)i, (int)i * 3), (*(long*)slot, e.Header.CommonType, e.Ticket, e.References));
        }
    }
}
