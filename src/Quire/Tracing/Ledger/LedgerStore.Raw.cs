namespace Quire;

/// <content>Counted operations on a page that have no handle and so no ticket: <c>page_ref_add</c> and its kin.</content>
/// <remarks>
/// The page keeps the ticket of its newest raw record (<c>head</c>), each record that of the next older one. A release takes from
/// the newest record of its own thread, among the newest <see cref="OwnSearch"/>, otherwise from the newest: the pairing is by
/// convention, the count is exact. The chain is guarded by one of <see cref="ChainGates"/> gates, chosen by the page's frame.
/// Order of locks: a chain's gate, then the pool's.
/// </remarks>
internal sealed unsafe partial class LedgerStore
{
    // Looking further for the own thread's record would make a long chain quadratic.
    private const int OwnSearch = 64;
    private const int ChainGates = 64;

    private readonly PaddedGate[] _chains = new PaddedGate[ChainGates];
    private long _unmatched;

    /// <summary>References released raw for which there was no record: they came from before tracking, or were misuse.</summary>
    internal long Unmatched => Volatile.Read(ref _unmatched);

    /// <summary>Records references taken by a bare count operation on the page whose descriptor holds <paramref name="head"/>.</summary>
    internal void TakeRaw(ref uint head, ulong identity, int references, uint origin)
    {
        if (references == 0)
        {
            return;
        }

        uint ticket = Take(identity, references, 0, HolderKind.Raw, origin);
        if (ticket == 0)
        {
            return;
        }

        PrepareEvents();
        ref SpinGate gate = ref Chain(identity);
        gate.Enter();
        DropForeign(ref head, identity, origin);
        _records.At(LedgerState.Index(ticket))->Next = head;
        head = ticket;
        gate.Exit();
    }

    /// <summary>
    /// Takes references off the page's raw records. Returns how many had a record; the others are counted in <see cref="Unmatched"/>.
    /// </summary>
    internal int ReleaseRaw(ref uint head, ulong identity, int references, uint origin, bool freed = false)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(references);
        uint thread = CurrentRing()->Thread;
        PrepareEvents();
        int left = references;
        ref SpinGate gate = ref Chain(identity);
        gate.Enter();
        DropForeign(ref head, identity, origin);
        while (left > 0 && head != 0)
        {
            ref uint link = ref Choose(ref head, thread);
            uint ticket = link;
            LedgerRecord* record = _records.At(LedgerState.Index(ticket));
            int held = LedgerState.References(Atomic.LoadAcquire(ref record->State));
            int part = Math.Min(left, held);
            if (part == held)
            {
                // Unlinked before it is free: a free record may be taken again at once.
                link = record->Next;
            }

            ReleaseSlow(ticket, identity, part, origin, freed);
            left -= part;
        }

        gate.Exit();
        if (left > 0)
        {
            // Happens before: nothing; a counter.
            Atomic.Add(ref _unmatched, left);
        }

        return references - left;
    }

    /// <summary>
    /// Drops the page's raw records, because it was freed or its frame has a new generation. Returns the references they held:
    /// counts that never paired.
    /// </summary>
    internal int ForgetRaw(ref uint head, ulong identity, uint origin)
    {
        _ = CurrentRing();
        PrepareEvents();
        ref SpinGate gate = ref Chain(identity);
        gate.Enter();
        int forgotten = DropChain(ref head, origin);
        gate.Exit();
        return forgotten;
    }

    // Events are written under the gate, which must not be held while a thread gets its ring: that takes locks and a part of the file.
    private void PrepareEvents()
    {
        if (Traces)
        {
            TraceRings.Prepare();
        }
    }

    // All records of a chain are of one page: a chain of an earlier generation of the frame, whose counts did not pair, goes before
    // anything else happens to it. Under the gate.
    private void DropForeign(ref uint head, ulong identity, uint origin)
    {
        if (head != 0 && _records.At(LedgerState.Index(head))->Identity != identity)
        {
            DropChain(ref head, origin);
        }
    }

    // Under the gate. The whole sum fits an int, since a page's count does; where it does not, more never paired than can be said.
    private int DropChain(ref uint head, uint origin)
    {
        long dropped = 0;
        while (head != 0)
        {
            uint ticket = head;
            LedgerRecord* record = _records.At(LedgerState.Index(ticket));
            head = record->Next;
            dropped += LedgerState.References(Atomic.LoadAcquire(ref record->State));
            ReleaseSlow(ticket, record->Identity, AllReferences, origin, freed: true);
        }

        return (int)Math.Min(dropped, int.MaxValue);
    }

    // The link to the newest record of the thread, otherwise to the newest record. Under the gate.
    private ref uint Choose(ref uint head, uint thread)
    {
        ref uint link = ref head;
        for (int i = 0; i < OwnSearch && link != 0; i++)
        {
            LedgerRecord* record = _records.At(LedgerState.Index(link));
            if (record->TakenThread == thread)
            {
                return ref link;
            }

            link = ref record->Next;
        }

        return ref head;
    }

    // By frame, not by generation: the head that the gate protects is the frame's.
    private ref SpinGate Chain(ulong identity) => ref _chains[(identity & Ledger.FrameMask) % ChainGates].Gate;

    /// <summary>A gate with a cache line to itself.</summary>
    [System.Runtime.InteropServices.StructLayout(System.Runtime.InteropServices.LayoutKind.Sequential, Size = 64)]
    private struct PaddedGate
    {
        internal SpinGate Gate;
    }
}
