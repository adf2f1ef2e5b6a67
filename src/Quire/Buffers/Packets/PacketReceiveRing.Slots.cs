using System.Buffers;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Quire;

/// <content>The slots: where frames land in a page, when a page is kept, and when another one is taken.</content>
public sealed unsafe partial class PacketReceiveRing
{
    /// <summary>The buffer at hand as memory: one object a ring. It needs no reference of its own, since the ring's pages stay while a receive is under way.</summary>
    private sealed class BufferManager(PacketReceiveRing ring) : MemoryManager<byte>
    {
        public override Memory<byte> Memory => CreateMemory(ring.LargestFrame);

        public override Span<byte> GetSpan() => ring.Buffer;

        public override MemoryHandle Pin(int elementIndex = 0)
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)elementIndex, (uint)ring.LargestFrame, nameof(elementIndex));
            return new MemoryHandle((byte*)Unsafe.AsPointer(ref MemoryMarshal.GetReference(ring.Buffer)) + elementIndex, pinnable: this);
        }

        public override void Unpin()
        {
        }

        protected override void Dispose(bool disposing)
        {
        }
    }

    private struct Slot
    {
        /// <summary>The page's identity; 0 where the slot has no page.</summary>
        internal ulong Identity;

        /// <summary>Where the next frame's room begins in the page.</summary>
        internal int Offset;

        /// <summary>The ring's references on the page.</summary>
        internal int Bias;

        internal readonly PageDescriptor* Page => PageMap.DescriptorOf(Identity);

        /// <summary>Every packet of the page has come back.</summary>
        /// <remarks>Happens before: the count is read with acquire, and each dispose is a full fence; what the last reader read comes before the next frame is written.</remarks>
        internal readonly bool IsAlone => PageRef.Count(Page) == Bias;
    }

    /// <summary>A half a frame: flip to the other half, if it has come back, or take another page.</summary>
    private bool TryTakeHalf(int length, out PacketBuffer packet, uint origin)
    {
        ref Slot slot = ref _slots[_current];
        int half = _size / 2;
        if (slot.IsAlone)
        {
            packet = Give(ref slot, slot.Offset, half, length, origin);
            slot.Offset ^= half;
            _flipped++;
            ClearIfAsked(slot, slot.Offset, half);
        }
        else
        {
            Slot next = default;
            if (!TryFill(ref next, origin, out _))
            {
                packet = default;
                return false;
            }

            packet = Give(ref slot, slot.Offset, half, length, origin);
            Replace(ref slot, next);
        }

        // A slot that never had a page gets one now; where there is none, the next one that has one is used.
        do
        {
            _current = Following(_current);
        }
        while (_slots[_current].Identity == 0 && !TryFill(ref _slots[_current], origin, out _));

        return true;
    }

    /// <summary>As much of the page as the frame is long; where no other would fit behind it, the next slot's page is made ready first.</summary>
    private bool TryTakePacked(int length, out PacketBuffer packet, uint origin)
    {
        ref Slot slot = ref _slots[_current];
        int room = Math.Min((_headRoom + length + Alignment - 1) & -Alignment, _size - slot.Offset);
        bool isLast = _size - slot.Offset - room < _headRoom + LargestFrame;
        int next = _current;
        Slot fresh = default;
        if (isLast && !TryNextSlot(out next, out fresh, origin))
        {
            packet = default;
            return false;
        }

        packet = Give(ref slot, slot.Offset, room, length, origin);
        slot.Offset += room;
        if (fresh.Identity != 0)
        {
            Replace(ref _slots[next], fresh);
        }

        _current = next;
        return true;
    }

    /// <summary>Finds the next slot that can receive: one whose page has come back, or the one after this with a fresh page. Of no memory, any that has come back.</summary>
    private bool TryNextSlot(out int next, out Slot fresh, uint origin)
    {
        fresh = default;
        next = Following(_current);
        if (next != _current && TryRestart(next))
        {
            return true;
        }

        // With one slot only its page is replaced by this, once the frame that fills it has been given away.
        if (TryFill(ref fresh, origin, out _))
        {
            return true;
        }

        while (next != _current)
        {
            next = Following(next);
            if (next != _current && TryRestart(next))
            {
                return true;
            }
        }

        return false;
    }

    private int Following(int slot) => slot + 1 == _slots.Length ? 0 : slot + 1;

    private bool TryRestart(int index)
    {
        ref Slot slot = ref _slots[index];
        if (slot.Identity == 0 || !slot.IsAlone)
        {
            return false;
        }

        Restart(ref slot);
        return true;
    }

    private void Replace(ref Slot slot, in Slot fresh)
    {
        if (slot.Identity != 0)
        {
            Empty(ref slot);
            _replaced++;
        }

        slot = fresh;
    }

    /// <summary>A packet around a piece of the slot's page, with one of the ring's references.</summary>
    private PacketBuffer Give(ref Slot slot, int offset, int capacity, int length, uint origin)
    {
        if (slot.Bias == 1)
        {
            // Before it is given away, so that the ring never is without a reference on its own page.
            PageRef.AddReturn(slot.Page, FullBias - 1, "Receive", origin);
            slot.Bias = FullBias;
        }

        slot.Bias--;
        Page reference = Tracking.Active
            ? new Page(slot.Identity, Ledger.Take(slot.Identity, 1, (uint)capacity, HolderKind.Fragment, origin))
            : new Page(slot.Identity);
        return PacketBuffer.Around(reference, offset, capacity, _headRoom, length);
    }

    private bool TryFill(ref Slot slot, uint origin, out AllocationFailure failure)
    {
        PageDescriptor* page = _allocator.TakePage(_order, MigrateType.Unmovable, out failure, origin);
        if (page == null)
        {
            return false;
        }

        _threadId = Environment.CurrentManagedThreadId;
        page->BiasOwner = _id;

        // Added, never set: since its allocation somebody may have got a speculative reference.
        PageRef.AddReturn(page, FullBias - 1, "Receive", origin);
        slot.Offset = 0;
        slot.Bias = FullBias;
        slot.Identity = page->Identity;
        return true;
    }

    private void Restart(ref Slot slot)
    {
        ClearIfAsked(slot, 0, slot.Offset);
        slot.Offset = 0;
        _restarted++;
    }

    /// <summary>Drains a slot's page: what is left of the bias goes at once.</summary>
    private void Empty(ref Slot slot)
    {
        Slot old = slot;
        slot = default;
        if (old.Identity == 0)
        {
            return;
        }

        try
        {
            PageFragmentCache.Drain(new Page(old.Identity), old.Bias);
        }
        catch (PageBugException wrong)
        {
            // Somebody dropped a packet's reference twice. Not this caller's fault: the disposer of the ring hears of it.
            _wrong = wrong;
            _allocator.SetAside(old.Page);
        }
    }

    /// <summary>Reuse in place is a free and an allocation in one: where freed memory is to be cleared, it is here too.</summary>
    private static void ClearIfAsked(in Slot slot, int offset, int length)
    {
        if ((slot.Page->Flags & PageFlags.ZeroOnFree) != 0)
        {
            new Span<byte>(slot.Page->Address + offset, length).Clear();
        }
    }
}
