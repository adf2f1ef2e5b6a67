using System.Runtime.CompilerServices;

namespace Quire;

/// <content>How an owner begins, shares, and ends.</content>
public sealed unsafe partial class PageMemory
{
    /// <summary>In <see cref="_released"/> where an owner was disposed by nobody known: 0 says that it was not.</summary>
    internal const uint Somebody = uint.MaxValue;

    internal enum OwnerKind : byte
    {
        /// <summary>A fragment, or a slice of anything.</summary>
        Fragment,

        /// <summary>A whole page, to be given back as one.</summary>
        Page,

        /// <summary>A reference that a <see cref="System.Buffers.MemoryHandle"/> drops.</summary>
        Pin,
    }

    /// <summary>True where the object owns nothing, so that it may be given out.</summary>
    internal bool IsFree => _identity == 0;

    private bool IsTracked => (_identity & PageIdentity.TrackedBit) != 0;

    private uint Ticket => (uint)(_word >> PageFragment.TicketShift);

    /// <summary>An owner for a reference that is about to be its: one of its own while the ledger is on, a pooled one otherwise.</summary>
    /// <param name="tracked">Whether the ledger is on, as its user has read it: read twice, it may be on for the one and off for the other.</param>
    internal static PageMemory Fresh(bool tracked) => tracked ? new PageMemory() : PoolThread.Mine().Take();

    /// <summary>Gives a free object a reference. The hot way: nothing of it is on record.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Start(ulong identity, ulong word, byte* address, int length, OwnerKind kind, QuireMemoryPool? pool)
    {
        _word = word;
        _address = address;
        _length = length;
        _kind = kind;
        if (_pool != pool)
        {
            // Compared first: a reference written into an old object costs the collector's barrier, and mostly it is there already.
            _pool = pool;
        }

        _identity = identity;
    }

    /// <summary>The same with a ticket, or 0, and where the reference was taken.</summary>
    internal void Start(ulong identity, uint ticket, uint origin, byte* address, int length, OwnerKind kind, QuireMemoryPool? pool)
    {
        _taken = origin;
        Start(ticket == 0 ? identity : identity | PageIdentity.TrackedBit, (ulong)ticket << PageFragment.TicketShift, address, length, kind, pool);
    }

    /// <summary>One more reference on part of the bytes, which is checked.</summary>
    private PageMemory Share(int start, int length, OwnerKind kind, CallSite site)
    {
        bool tracked = Tracking.Active;
        uint origin = tracked ? Origin.Here(site) : 0;
        PageDescriptor* head = PageMap.DescriptorOf(_identity);
        int count = PageRef.AddReturn(head, 1, kind == OwnerKind.Pin ? "Pin" : "Slice");
        uint ticket = tracked ? Ledger.Take(head->Identity, 1, (uint)length, kind == OwnerKind.Pin ? HolderKind.Pin : HolderKind.Fragment, origin) : 0;
        if (Tracking.Counting)
        {
            PageRefEvent taken = PageRefEvents.Of(head, origin, ticket);
            PageRefEvents.Mod(ref taken, 1, count);
        }

        PageMemory memory = Fresh(tracked);
        memory.Start(head->Identity, ticket, origin, _address + start, length, kind, _pool);
        _pool?.CountShare(kind, length);
        return memory;
    }

    /// <summary>Drops the reference. The hot way; everything unusual goes the other.</summary>
    private void End(string operation, string file, int line, string member)
    {
        ulong identity = _identity;
        PageDescriptor* head = PageMap.DescriptorOf(identity);
        PoolThread? thread = PoolThread.t_current;
        QuireMemoryPool? pool = _pool;
        if (head->Identity != identity || thread is null || Tracking.Active)
        {
            EndSlow(operation, file, line, member);
            return;
        }

        if (pool is null)
        {
            PageFragment fragment = new(identity, _word);
            _identity = 0;
            thread.Keep(this);
            fragment.Free(file, line, member);
            return;
        }

        PoolShare share = thread.ShareOf(pool);
        OwnerKind kind = _kind;
        int length = _length;
        ulong word = _word;
        _identity = 0;
        thread.Keep(this);
        if (kind == OwnerKind.Page)
        {
            if (head->Order == 0 || !pool.TryShelve(head))
            {
                pool.Allocator.Free(head, identity, share.Magazine);
            }
        }
        else if (share.Fragments is not { } cache || !cache.TryGiveBack(identity))
        {
            PageFragment.FreeShared(identity, word, file, line, member);
        }

        pool.Returned(share, kind, length);
    }

    /// <summary>The ledger is on, the handle is tracked or stale, or the thread is new here.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void EndSlow(string operation, string file, int line, string member)
    {
        CallSite site = new(file, line, member);
        bool tracked = Tracking.Active || IsTracked;
        uint origin = 0;
        if (Tracking.Active)
        {
            site = site.IsUnknown ? Caller.Find() : site;
            origin = Origin.Here(site);
        }

        // Happens before: full fence. Of two who dispose one object while the ledger is on, exactly one finds 0, since such an object is never used again; the
        // other finds where the first one stood.
        uint first = tracked ? Atomic.CompareExchange(ref _released, origin == 0 ? Somebody : origin, 0) : 0;
        ulong identity = first == 0 ? Atomic.Exchange(ref _identity, 0) : 0;
        if (identity == 0)
        {
            throw PageMemoryBug.DisposedBefore(operation, Frame, _length, _taken, first == 0 ? _released : first, site);
        }

        OwnerKind kind = _kind;
        if (kind == OwnerKind.Page)
        {
            Drop(identity, operation, site);
        }
        else
        {
            PageFragment.FreeShared(identity, _word, site.File, site.Line, site.Member);
        }

        QuireMemoryPool? pool = _pool;
        int length = _length;
        PoolThread thread = PoolThread.Mine();
        if (!tracked)
        {
            thread.Keep(this);
        }

        pool?.Returned(thread.ShareOf(pool), kind, length);
    }

    private void Drop(ulong identity, string operation, CallSite site)
    {
        if ((identity & PageIdentity.TrackedBit) == 0 && !Tracking.Counting)
        {
            _pool!.Allocator.Free(new Page(identity));
        }
        else
        {
            Page.PutSlow(identity, Ticket, 1, PageTemperature.Hot, operation, site.File, site.Line, site.Member);
        }
    }

    /// <summary>The frame in which the bytes are or were; for messages.</summary>
    private uint Frame => PageMap.FrameAt(_address);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void ThrowIfStale(string operation)
    {
        if (PageMap.DescriptorOf(_identity)->Identity != _identity)
        {
            Look(operation);
        }
    }

    /// <summary>The handle has a ticket, or is stale.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Look(string operation)
    {
        ulong identity = _identity;
        if (identity == 0)
        {
            throw PageMemoryBug.UsedAfterDispose(operation, Frame, _length, _taken, _released, Tracking.Active ? Caller.Find() : default);
        }

        Page.HeadDescriptorSlow(identity, Ticket, operation);
    }

    private void CheckPart(int start, int length)
    {
        // Sums of two that fit in 32 bits, so that nothing wraps.
        if ((ulong)(uint)start + (uint)length > (uint)_length)
        {
            throw new ArgumentOutOfRangeException(start < 0 || start > _length ? nameof(start) : nameof(length), $"[{start}, +{length}) is not within {_length} bytes.");
        }
    }
}
