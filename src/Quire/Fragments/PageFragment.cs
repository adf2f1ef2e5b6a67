using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Quire;

/// <summary>
/// A handle to a piece of a page, counted in the page's own reference count: it may be kept past the call, handed to another thread and
/// freed there.
/// </summary>
/// <remarks>
/// <code>
///   page (32 KiB, count = bias + fragments out)
///   +--------+-----------+----+----------------- - - -
///   | frag A |  frag B   | C  |  not given out yet
///   +--------+-----------+----+----------------- - - -
///   0        256         1792 ^ offset of the cache
/// </code>
/// <para>
/// Sixteen bytes, two words: the page's frame and generation; offset (16 bits), length (16 bits) and the ledger's ticket
/// (32 bits). A length of 0 marks a fragment with a page of its own, whose length the page's descriptor has.
/// Copying the value copies no reference: free each fragment once, by one of its copies.
/// </para>
/// <para>
/// Always checked: the generation. It moves when the page is freed and when it is reused in place, so a handle from an earlier round is found
/// by every call; and, before bytes are shown, that they lie in the page: a handle that was read while another thread wrote it (torn) has one fragment's page and
/// another's place in it, which may be behind that page's end. A torn handle within a page is not found. While the ledger is on, each handle is checked exactly: a second free in the same round and a use after the free too.
/// All methods may be called on any thread.
/// </para>
/// </remarks>
[StructLayout(LayoutKind.Sequential)]
public readonly unsafe struct PageFragment : IEquatable<PageFragment>
{
    internal const int LengthShift = 16;
    internal const int TicketShift = 32;

    internal readonly ulong _identity;
    internal readonly ulong _word;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal PageFragment(ulong identity, ulong word)
    {
        _identity = identity;
        _word = word;
    }

    internal PageFragment(ulong identity, ulong word, uint ticket)
    {
        _identity = ticket == 0 ? identity : identity | PageIdentity.TrackedBit;
        _word = (uint)word | ((ulong)ticket << TicketShift);
    }

    /// <summary>Length in bytes, exactly as asked for.</summary>
    /// <exception cref="PageBugException">The fragment has a page of its own and that page is gone.</exception>
    public int Length
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get
        {
            int length = (int)((uint)_word >> LengthShift);
            return length != 0 ? length : WholeLength(_identity, _word);
        }
    }

    /// <summary>True while the handle is not stale. Only the owner of the fragment can rely on the answer.</summary>
    public bool IsAlive => AsPage.IsAlive;

    /// <summary>Where the bytes begin.</summary>
    /// <exception cref="PageBugException">The handle is stale, or the bytes do not lie in its page; while the ledger is on, also when it was freed.</exception>
    public byte* Address
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get
        {
            PageDescriptor* head = HeadDescriptor("Address");

            // A length of 0 wraps to what no page has, and goes the slow way.
            ulong last = (ulong)(((uint)_word >> LengthShift) - 1) + (uint)Offset;
            return last < (uint)(PageMap.FrameSize << head->Order) ? head->Address + Offset : WholeAddress(head, _identity, _word);
        }
    }

    /// <summary>The bytes. The span itself is not checked again: do not use it after the free.</summary>
    /// <exception cref="PageBugException">The handle is stale, or the bytes do not lie in its page; while the ledger is on, also when it was freed.</exception>
    public Span<byte> Span
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => new(Address, Length);
    }

    /// <summary>The page that the fragment lies in, as a handle without a reference of its own.</summary>
    public Page Page => new(PageIdentity.Unmarked(_identity));

    internal int Offset
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => (ushort)_word;
    }

    internal uint Ticket => (uint)(_word >> TicketShift);

    internal bool IsTracked => (_identity & PageIdentity.TrackedBit) != 0;

    private Page AsPage => new(PageIdentity.Unmarked(_identity), Ticket);

    /// <summary>Takes one more reference to the same bytes; the caller must own one.</summary>
    /// <returns>A handle to be freed on its own.</returns>
    /// <exception cref="PageBugException">The handle is stale; nothing was taken.</exception>
    public PageFragment Get([CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "")
    {
        PageDescriptor* head = HeadDescriptor("Get");
        uint origin = Tracking.Active ? Origin.Here(file, line, member) : 0;
        int count = PageRef.AddReturn(head, 1, "Get");
        PageFragment reference = Recorded(head->Identity, _word, Length, origin);
        if (Tracking.Counting)
        {
            PageRefEvent taken = PageRefEvents.Of(head, origin, reference.IsTracked ? reference.Ticket : 0);
            PageRefEvents.Mod(ref taken, 1, count);
        }

        return reference;
    }

    /// <summary>
    /// Gives the fragment back (<c>page_frag_free</c>). No atomic on the thread whose own cache (<see cref="PageFragmentCache.Current"/>) it came
    /// from while its page is current there; one atomic otherwise. The last fragment of a page frees the page.
    /// </summary>
    /// <exception cref="PageBugException">The fragment was freed before. Nothing was changed; with the ledger on the message names both frees.</exception>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Free([CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "")
    {
        PageFragmentCache? cache = PageFragmentCache.t_current;
        if (cache == null || !cache.TryGiveBack(_identity))
        {
            FreeShared(_identity, _word, file, line, member);
        }
    }

    /// <summary>Frees many fragments with one atomic a page, in whatever order they come (up to 128 pages at a time; beyond, one each 128 pages).</summary>
    /// <exception cref="PageBugException">A fragment could not be freed. All the others were; the message names the first bad one's index.</exception>
    public static void Free(ReadOnlySpan<PageFragment> fragments, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "") =>
        FragmentBatch.Free(fragments, PageFragmentCache.t_current, new CallSite(file, line, member));

    /// <summary>A scope that frees the fragment at its end: <c>using FragmentLease lease = fragment.Lease();</c>. It can't be copied to the heap, so it frees once.</summary>
    public FragmentLease Lease([CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "") =>
        new(this, new CallSite(file, line, member));

    /// <summary>Says that responsibility passed on: blame shows this line from now on, and the first one beside it. Free while the ledger is off.</summary>
    public void Touch([CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "")
    {
        if (IsTracked)
        {
            Ledger.Touch(Ticket, Origin.Here(file, line, member));
        }
    }

    /// <summary>As <see cref="Touch"/>, and moves the fragment into the caller's <see cref="PageLeakScope"/>, which answers for it from here on.</summary>
    public void Transfer([CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "")
    {
        if (IsTracked)
        {
            Ledger.Transfer(Ticket, Origin.Here(file, line, member));
        }
    }

    /// <summary>True where both handles mean the same bytes of the same page at the same generation; tickets do not count.</summary>
    public bool Equals(PageFragment other) =>
        PageIdentity.Unmarked(_identity) == PageIdentity.Unmarked(other._identity) && (uint)_word == (uint)other._word;

    /// <inheritdoc/>
    public override bool Equals([NotNullWhen(true)] object? obj) => obj is PageFragment other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(PageIdentity.Unmarked(_identity), (uint)_word);

    /// <summary>The page, and the bytes within it.</summary>
    public override string ToString() =>
        $"fragment [{Offset}, +{(uint)_word >> LengthShift}) of {Page}";

    /// <summary>See <see cref="Equals(PageFragment)"/>.</summary>
    public static bool operator ==(PageFragment left, PageFragment right) => left.Equals(right);

    /// <summary>See <see cref="Equals(PageFragment)"/>.</summary>
    public static bool operator !=(PageFragment left, PageFragment right) => !left.Equals(right);

    /// <summary>A handle for one reference that has just been counted; recorded while the ledger is on.</summary>
    internal static PageFragment Recorded(ulong identity, ulong word, int length, uint origin) =>
        Tracking.Active
            ? new PageFragment(identity, word, Ledger.Take(PageIdentity.Unmarked(identity), 1, (uint)length, HolderKind.Fragment, origin))
            : new PageFragment(PageIdentity.Unmarked(identity), (uint)word);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal PageDescriptor* HeadDescriptor(string operation)
    {
        PageDescriptor* page = PageMap.DescriptorOf(_identity);
        return page->Identity == _identity ? page : Page.HeadDescriptorSlow(_identity, _word >> TicketShift, operation);
    }

    /// <summary>One atomic: the way of every thread but the owner. Static, with the handle's words, for the reason given in <see cref="Page.HeadDescriptorSlow"/>.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static void FreeShared(ulong identity, ulong word, string file, int line, string member)
    {
        PageDescriptor* page = PageMap.DescriptorOf(identity);
        if (page->Identity == identity && !Tracking.Counting)
        {
            if (PageRef.DecAndTest(page))
            {
                PageOwners.Find(page->Owner)!.Release(page, PageTemperature.Hot, origin: 0);
            }

            return;
        }

        PageFragmentCache? cache = PageFragmentCache.t_current;
        if (cache != null && cache.Holds(identity))
        {
            cache.FreeTracked(new PageFragment(identity, word), file, line, member);
            return;
        }

        Page.PutSlow(identity, word >> TicketShift, 1, PageTemperature.Hot, "Free", file, line, member);
    }

    /// <summary>A fragment with a page of its own begins where the page does; any other that comes here is not of this page.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static byte* WholeAddress(PageDescriptor* head, ulong identity, ulong word) =>
        (uint)word == 0 && head->WholeLength != 0 ? head->Address : throw PageBug.Torn(head, new PageFragment(identity, word).ToString());

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static int WholeLength(ulong identity, ulong word) => Page.HeadDescriptorSlow(identity, word >> TicketShift, "Length")->WholeLength;
}
