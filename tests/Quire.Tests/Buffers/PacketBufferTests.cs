using System.Runtime.CompilerServices;
using Xunit;

namespace Quire.Tests.Buffers;

/// <summary>What a packet promises, one rule at a time. The walk beside a model is in <see cref="PacketModelTests"/>.</summary>
public sealed unsafe class PacketBufferTests : IDisposable
{
    private readonly PageAllocator _allocator = Trial.Allocator();
    private readonly PageFragmentCache _cache;

    public PacketBufferTests() => _cache = new PageFragmentCache(_allocator);

    [Fact]
    public void Headers_are_pushed_into_head_room_and_pulled_off_again()
    {
        PacketBuffer packet = PacketBuffer.Allocate(_cache, 128);
        packet.Reserve(32);
        "payload"u8.CopyTo(packet.Put(7));
        "udp "u8.CopyTo(packet.Push(4));
        "ip "u8.CopyTo(packet.Push(3));
        Assert.Equal((25, 14, 89), (packet.HeadRoom, packet.Length, packet.TailRoom));
        Assert.Equal("ip udp payload"u8, packet.Head);
        packet.Pull(3);
        packet.Trim(8);
        Assert.Equal("udp payl"u8, packet.Head);
        Assert.Equal((28, 92), (packet.HeadRoom, packet.TailRoom));
        packet.Dispose();
    }

    [Fact]
    public void Misuse_is_named_by_call_line_and_what_the_packet_is_and_changes_nothing()
    {
        PacketBuffer packet = PacketBuffer.Allocate(_cache, 100);
        packet.Reserve(10);
        packet.Put(20);
        Named(() => packet.Push(11), "Push 11 bytes", "only 10 bytes of head room");
        Named(() => packet.Push(-1), "Push -1 bytes", "negative");
        Named(() => packet.Put(71), "Put 71 bytes", "only 70 bytes of tail room");
        Named(() => packet.Pull(21), "Pull 21 bytes", "only 20 bytes of data");
        Named(() => packet.Trim(21), "Trim to 21 bytes", "only 20 bytes of data");
        Named(() => packet.Split(21), "Split at 21 bytes", "only 20 bytes of data");
        Named(() => packet.Linearize(21), "Linearize 21 bytes", "only 20 bytes of data");
        Named(() => packet.Reserve(1), "Reserve of 1 bytes", "only an empty packet");
        Named(() => packet.Coalesce(packet), "Coalesce", "both packets are the same");
        Named(() => packet.Fragment(0), "Fragment 0", "it has 0 fragments");
        Assert.Equal((10, 20, 70), (packet.HeadRoom, packet.Length, packet.TailRoom));
        packet.Dispose();

        void Named(Action call, string what, string why, [CallerLineNumber] int line = 0)
        {
            string message = Assert.Throws<PacketBugException>(call).Message;
            Assert.Contains(what, message, StringComparison.Ordinal);
            Assert.Contains(why, message, StringComparison.Ordinal);
            Assert.Contains($"PacketBufferTests.cs:{line} ", message, StringComparison.Ordinal);
            Assert.Contains("10 bytes of head room, 20 in its head, 70 of tail room, 0 in 0 fragments", message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void An_eighteenth_fragment_is_refused_and_stays_the_callers()
    {
        PacketBuffer packet = PacketBuffer.Allocate(_cache, 8);
        for (int i = 0; i < PacketBuffer.MaxFragments; i++)
        {
            // The bytes between keep them apart.
            packet.AddFragment(_cache.Allocate(9));
        }

        PageFragment surplus = _cache.Allocate(9);
        Assert.Contains("at most 17 fragments", Assert.Throws<PacketBugException>(() => packet.AddFragment(surplus)).Message, StringComparison.Ordinal);
        Assert.Contains("fragments follow the head", Assert.Throws<PacketBugException>(() => packet.Put(1)).Message, StringComparison.Ordinal);
        surplus.Free();
        Assert.Equal(17 * 9, packet.Length);
        packet.Dispose();
    }

    [Fact]
    public void A_second_dispose_names_both_places()
    {
        PacketBuffer packet = PacketBuffer.Allocate(_cache, 8);
        PacketBuffer copy = packet;
        int line = Line();
        packet.Dispose();
        PacketBugException bug = Assert.Throws<PacketBugException>(() => copy.Dispose());
        Assert.Contains($"Dispose at PacketBufferTests.cs:{line + 2} ", bug.Message, StringComparison.Ordinal);
        Assert.Contains($"ended by Dispose at PacketBufferTests.cs:{line + 1} ", bug.Message, StringComparison.Ordinal);
        Assert.Equal(line + 1, bug.EarlierEnd.Line);
    }

    [Fact]
    public void Use_after_dispose_is_found_when_another_packet_has_the_state_by_then()
    {
        PacketBuffer stale = PacketBuffer.Allocate(_cache, 8);
        stale.Dispose();
        PacketBuffer other = PacketBuffer.Allocate(_cache, 8);
        other.Put(3);
        foreach (Action use in (Action[])[
            () => stale.Put(1), () => stale.Push(0), () => stale.Pull(0), () => stale.Trim(0), () => stale.Reserve(0), () => stale.Clone(), () => stale.Split(0), () => stale.Unshare(),
            () => stale.Linearize(0), () => stale.Coalesce(other), () => other.Coalesce(stale), () => stale.CopyTo([]), () => _ = stale.Length, () => _ = stale.Head.Length, () => stale.WritableHead(),
            () => _ = stale.IsShared, () => stale.Touch(), () => stale.Transfer(), () => stale.Dispose(), () => ((IDisposable)stale).Dispose(), () => default(PacketBuffer).Put(1), () => _ = default(PacketBuffer).Length])
        {
            Assert.Throws<PacketBugException>(use);
        }

        Assert.False(stale.IsAlive);
        Assert.False(default(PacketBuffer).IsAlive);
        Assert.Equal("packet that is gone", stale.ToString());
        Assert.True(other.IsAlive);
        Assert.Equal(3, other.Length);
        other.Dispose();
    }

    [Fact]
    public void Of_two_threads_that_dispose_one_packet_exactly_one_does()
    {
        const int Rounds = 20_000;

        // Where the two share a core each round takes two turns of the scheduler.
        Func<bool> goOn = Trial.For(20_000);
        PacketBuffer packet = default;
        int rounds = 0;
        bool isOver = false;
        int ready = 0;
        int done = 0;
        int refused = 0;
        Trial.OnThreads(2, thread =>
        {
            for (int round = 0; ; round++)
            {
                // Both meet before each packet: the first makes it, or ends the rounds; both dispose it.
                if (thread == 0)
                {
                    SpinUntil(() => Volatile.Read(ref ready) == 3 * round);
                    rounds = round;
                    isOver = round == Rounds || !goOn();
                    packet = isOver ? default : PacketBuffer.Allocate(_cache, 64);
                    Interlocked.Increment(ref ready);
                }

                SpinUntil(() => Volatile.Read(ref ready) > 3 * round);
                if (Volatile.Read(ref isOver))
                {
                    return;
                }

                try
                {
                    packet.Dispose();
                    Interlocked.Increment(ref done);
                }
                catch (PacketBugException)
                {
                    Interlocked.Increment(ref refused);
                }

                Interlocked.Increment(ref ready);
            }
        });
        Assert.InRange(rounds, 1, Rounds);
        Assert.Equal((rounds, rounds), (done, refused));
    }

    [Fact]
    public void A_head_that_a_clone_has_is_written_by_neither_until_one_is_gone_or_unshared()
    {
        PacketBuffer packet = PacketBuffer.Allocate(_cache, 64);
        packet.Reserve(16);
        "original"u8.CopyTo(packet.Put(8));
        PacketBuffer clone = packet.Clone();
        PacketBuffer third = clone.Clone();
        Assert.True(packet.IsShared && clone.IsShared && third.IsShared);
        Assert.Contains("3 packets have the head's bytes; Unshare", Assert.Throws<PacketBugException>(() => packet.Push(1)).Message, StringComparison.Ordinal);
        Assert.Throws<PacketBugException>(() => clone.Put(1));
        Assert.Throws<PacketBugException>(() => third.WritableHead());

        // Each has its own idea of where data begin and end.
        clone.Pull(4);
        third.Trim(3);
        Assert.Equal("original"u8, packet.Head);
        Assert.Equal("inal"u8, clone.Head);
        Assert.Equal("ori"u8, third.Head);

        // A copy is the copier's own, with the room it asked for; the others still share.
        Assert.Equal(4, clone.Unshare(headRoom: 5));
        clone.Push(5).Fill((byte)'x');
        Assert.Equal("xxxxxinal"u8, clone.Head);
        Assert.True(packet.IsShared);
        third.Dispose();

        // The last one needs no copy.
        Assert.False(packet.IsShared);
        Assert.Equal(0, packet.Unshare());
        packet.WritableHead()[0] = (byte)'O';
        Assert.Equal("Original"u8, packet.Head);
        packet.Dispose();
        clone.Dispose();
    }

    [Fact]
    public void A_head_that_became_a_fragment_elsewhere_still_counts_as_shared()
    {
        PacketBuffer packet = PacketBuffer.Allocate(_cache, 64);
        "abc"u8.CopyTo(packet.Put(3));
        PacketBuffer clone = packet.Clone();
        PacketBuffer other = PacketBuffer.Allocate(_cache, 8);
        other.Coalesce(packet);
        Assert.Throws<PacketBugException>(() => clone.WritableHead());
        Assert.Equal("abc"u8, other.Fragment(0));
        other.Dispose();
        Assert.False(clone.IsShared);
        clone.WritableHead().Clear();
        clone.Dispose();
    }

    [Fact]
    public void A_cut_head_is_two_heads_that_write_side_by_side_and_join_again()
    {
        PacketBuffer first = PacketBuffer.Allocate(_cache, 100);
        "firstsecond"u8.CopyTo(first.Put(11));
        PacketBuffer second = first.Split(5);
        Page page = first.State.Head.Page;
        Assert.Equal((0, 0), (first.TailRoom, second.HeadRoom));
        Assert.Throws<PacketBugException>(() => first.Put(1));
        second.WritableHead()[0] = (byte)'S';
        second.Put(1)[0] = (byte)'!';
        int references = PageRef.Count(page);
        first.Coalesce(second);
        Assert.Equal(references - 1, PageRef.Count(page));
        Assert.Equal("firstSecond!"u8, first.Head);
        Assert.Equal((0, 88), (first.FragmentCount, first.TailRoom));
        first.Dispose();
    }

    [Fact]
    public void Neighbours_of_one_page_become_one_fragment_and_the_surplus_references_are_dropped()
    {
        PacketBuffer packet = PacketBuffer.Allocate(_cache, 8);
        Page page = packet.State.Head.Page;
        for (byte i = 0; i < 100; i++)
        {
            PageFragment fragment = _cache.Allocate(16);
            fragment.Span.Fill(i);
            packet.AddFragment(fragment);
        }

        Assert.Equal((1, 1608 - 8), (packet.FragmentCount, packet.Length));
        int bias = ((IBiasOwner)_cache).BiasOn(Trial.Head(page));
        Assert.Equal(bias + 2, PageRef.Count(page));
        Assert.Equal(99, packet.Fragment(0)[^1]);
        packet.Dispose();
    }

    [Fact]
    public void A_header_across_fragments_is_made_linear_and_what_was_copied_is_let_go()
    {
        PacketBuffer packet = PacketBuffer.Allocate(_cache, 32);
        "he"u8.CopyTo(packet.Put(2));
        foreach (string part in (string[])["ad", "er", "rest"])
        {
            PageFragment fragment = _cache.Allocate(part.Length + 9);
            for (int i = 0; i < part.Length; i++)
            {
                fragment.Span[i] = (byte)part[i];
            }

            packet.AddFragment(new Page(PageIdentity.Unmarked(fragment._identity), fragment.Ticket), fragment.Offset, part.Length);
        }

        Assert.Equal("header"u8, packet.Linearize(6));
        Assert.Equal((6, 1), (packet.HeadLength, packet.FragmentCount));
        Assert.Equal("rest"u8, packet.Fragment(0));
        Assert.Equal("headerrest"u8, packet.Linearize(packet.Length));
        packet.Dispose();
    }

    [Fact]
    public void What_does_not_lie_in_its_page_is_refused_and_stays_the_callers()
    {
        Page page = _allocator.Allocate(1);
        Assert.Throws<ArgumentOutOfRangeException>(() => PacketBuffer.Build(page, 8000, 193, 0, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => PacketBuffer.Build(page, -1, 10, 0, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => PacketBuffer.Build(page, 0, 100, 101, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => PacketBuffer.Build(page, 0, 100, 50, 51));
        Assert.Throws<ArgumentOutOfRangeException>(() => PacketBuffer.Build(page.Frame(1), 4000, 97, 0, 0));
        PacketBuffer packet = PacketBuffer.Build(page, 0, 8192, 0, 0);
        Assert.Throws<ArgumentOutOfRangeException>(() => packet.AddFragment(page, 0, 0));
        Assert.Equal(1, PageRef.Count(page));
        packet.Dispose();
        Assert.False(page.IsAlive);
        Assert.Throws<PageBugException>(() => PacketBuffer.Build(page, 0, 8, 0, 0));
    }

    [Fact]
    public void A_pins_reference_is_refused()
    {
        ContiguousArea area = ContiguousArea.Reserve(_allocator, 4 * Trial.MiB, "pins");
        MovablePage movable = area.AllocateMovable();
        PagePin pin = movable.Pin();
        Assert.Throws<PageBugException>(() => PacketBuffer.Build(pin.Page, 0, 8, 0, 0));
        pin.Unpin();
        movable.Free();
        area.Dispose();
    }

    [Fact]
    public void Many_packets_go_at_once_and_the_bad_ones_are_named()
    {
        PacketBuffer[] packets = new PacketBuffer[300];
        for (int i = 0; i < packets.Length; i++)
        {
            packets[i] = PacketBuffer.Allocate(_cache, 500);
            packets[i].AddFragment(_cache.Allocate(700));
        }

        packets[17].Dispose();
        PacketBugException bug = Assert.Throws<PacketBugException>(() => PacketBuffer.DisposeAll(packets));
        Assert.Contains("DisposeAll of 300 packets: 1 had ended before, the first at index 17; all others are gone", bug.Message, StringComparison.Ordinal);
        Assert.All(packets, packet => Assert.False(packet.IsAlive));
        _cache.Drain();
        Assert.Equal(0, _allocator.GetStatistics().InUseFrames);
    }

    [Fact]
    public void A_packet_of_the_threads_own_cache_ends_with_its_using()
    {
        PacketBuffer seen;
        using (PacketBuffer packet = PacketBuffer.Allocate(64))
        {
            packet.Put(64).Fill(7);
            seen = packet;
        }

        Assert.Contains("the packet ended by Dispose.", Assert.Throws<PacketBugException>(() => seen.Pull(1)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Without_memory_unshare_and_linearize_leave_the_packet_as_it_was()
    {
        PageAllocator small = Trial.Allocator(4 * Trial.MiB);
        PageFragmentCache cache = new(small);
        PacketBuffer packet = PacketBuffer.Allocate(cache, 64);
        "abc"u8.CopyTo(packet.Put(3));
        packet.AddFragment(cache.Allocate(1_500_000));
        PacketBuffer clone = packet.Clone();
        Assert.ThrowsAny<PageAllocationException>(() => packet.Unshare(tailRoom: 1_500_000, cache: cache));
        Assert.ThrowsAny<PageAllocationException>(() => packet.Linearize(packet.Length, cache));
        Assert.Equal((1_500_003, 1, true), (packet.Length, packet.FragmentCount, packet.IsShared));
        packet.Dispose();
        clone.Dispose();
        cache.Dispose();
        small.Dispose();
    }

    public void Dispose()
    {
        _cache.Dispose();
        _allocator.Dispose();
    }

    private static void SpinUntil(Func<bool> condition)
    {
        SpinWait spin = default;
        while (!condition())
        {
            spin.SpinOnce(sleep1Threshold: -1);
        }
    }

    private static int Line([CallerLineNumber] int line = 0) => line;
}
