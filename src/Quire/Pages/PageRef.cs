using System.Runtime.CompilerServices;

namespace Quire;

/// <summary>
/// The reference count of a page, and the only code that can touch it (the kernel's <c>page_ref_*</c> family).
/// </summary>
/// <remarks>
/// <para>
/// All functions count on the head, whichever frame of the page they are given (<c>get_head_page_multiple</c>). They count and do
/// nothing else: who brings a count to 0 with <see cref="DecAndTest(Page, string, int, string)"/> or <see cref="SubAndTest(Page, int, string, int, string)"/>
/// owns the page alone and must hand it to <see cref="PageAllocator.FreeUnreferenced(Page, PageTemperature, string, int, string)"/>.
/// Most code wants <see cref="Page.Get(string, int, string)"/> and <see cref="Page.Put(string, int, string)"/>.
/// </para>
/// <para>
/// The stored word is the count, or <see cref="FrozenWord"/> while the page is frozen: migrated or reused, not free. A frozen
/// page counts 0 for everyone who asks, as in the kernel, and yet frozen and freed are told apart by one load.
/// A count never goes below 0 and never wraps: each operation reads, judges, and then exchanges exactly what it judged, so
/// the call that would break the rule throws <see cref="PageBugException"/> and has changed nothing. (A plain atomic add beside a look was
/// measured and is no faster: what costs is the look after the last locked instruction, and the generation needs one anyway.)
/// </para>
/// <para>
/// Ordering: every successful operation is a full fence, which is what the kernel asks of operations that return a value and more than
/// it asks of the others; a failed one orders nothing. <c>Unfreeze</c> is a release store: what was written while frozen is visible before
/// the count is. All functions may be called on any thread.
/// </para>
/// </remarks>
public partial struct PageRef
{
    /// <summary>What the word holds while the page is frozen. Negative, so that "own a reference" is one comparison with 0.</summary>
    private const int FrozenWord = int.MinValue;

    /// <summary>Above this <see cref="Page.TryGetBounded(out Page, string, int, string)"/> refuses: half the range, as the kernel keeps it.</summary>
    internal const int Bound = 1 << 30;

    private int _count;

    /// <summary>The head's count; 0 for a frozen page (<c>page_count</c>). Orders nothing: the answer may be old when it arrives.</summary>
    /// <exception cref="PageBugException">The handle is stale.</exception>
    public static unsafe int Count(Page page) => Count(page.HeadDescriptor("Count"));

    /// <summary>Adds <paramref name="references"/> to a count that is not 0 (<c>page_ref_add</c>).</summary>
    /// <exception cref="PageBugException">The handle is stale, the page is free or frozen, or the count would pass <see cref="int.MaxValue"/>.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="references"/> is not positive.</exception>
    public static unsafe void Add(Page page, int references, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "")
    {
        PageDescriptor* head = page.HeadDescriptor("Add");
        uint origin = RawReferences.OriginOf(head, file, line, member);
        int count = AddReturn(head, references, "Add");
        if (Tracking.Counting)
        {
            PageRefEvent added = PageRefEvents.Of(head, origin, 0, page.FrameNumber);
            PageRefEvents.Mod(ref added, references, count);
        }

        RawReferences.Taken(head, references, origin);
    }

    /// <summary>Takes <paramref name="references"/> off a count of which more than that remain (<c>page_ref_sub</c>).</summary>
    /// <exception cref="PageBugException">The handle is stale, or the count would reach 0 or go below: only <see cref="SubAndTest(Page, int, string, int, string)"/> may reach 0.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="references"/> is not positive.</exception>
    public static unsafe void Sub(Page page, int references, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "")
    {
        PageDescriptor* head = page.HeadDescriptor("Sub");
        uint origin = RawReferences.OriginOf(head, file, line, member);
        SubNotLast(head, references, "Sub", origin, 0, page.FrameNumber);
        RawReferences.Dropped(head, references, origin);
    }

    /// <summary>Adds one to a count that is not 0 (<c>page_ref_inc</c>).</summary>
    /// <inheritdoc cref="Add" path="/exception"/>
    public static void Inc(Page page, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "") =>
        Add(page, 1, file, line, member);

    /// <summary>Takes one off a count of more than one (<c>page_ref_dec</c>: legal only if it cannot be the last reference).</summary>
    /// <inheritdoc cref="Sub" path="/exception"/>
    public static void Dec(Page page, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "") =>
        Sub(page, 1, file, line, member);

    /// <summary>Takes <paramref name="references"/> off; true only for the call that reaches 0 (<c>page_ref_sub_and_test</c>).</summary>
    /// <exception cref="PageBugException">The handle is stale, or the count would go below 0.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="references"/> is not positive.</exception>
    public static bool SubAndTest(Page page, int references, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "") =>
        Drop(page, references, Tracepoint.PageRefModAndTest, "SubAndTest", file, line, member) == 0;

    /// <summary>Takes one off; true only for the call that reaches 0 (<c>page_ref_dec_and_test</c>).</summary>
    /// <inheritdoc cref="SubAndTest(Page, int, string, int, string)" path="/exception"/>
    public static bool DecAndTest(Page page, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "") =>
        Drop(page, 1, Tracepoint.PageRefModAndTest, "DecAndTest", file, line, member) == 0;

    /// <summary>Adds one to a count that is not 0 and returns this operation's own result (<c>page_ref_inc_return</c>).</summary>
    /// <inheritdoc cref="Add" path="/exception"/>
    public static unsafe int IncReturn(Page page, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "")
    {
        PageDescriptor* head = page.HeadDescriptor("IncReturn");
        uint origin = RawReferences.OriginOf(head, file, line, member);
        int count = AddReturn(head, 1, "IncReturn");
        if (Tracking.Counting)
        {
            PageRefEvent added = PageRefEvents.Of(head, origin, 0, page.FrameNumber);
            PageRefEvents.ModAndReturn(ref added, 1, count);
        }

        RawReferences.Taken(head, 1, origin);
        return count;
    }

    /// <summary>Takes one off and returns this operation's own result (<c>page_ref_dec_return</c>).</summary>
    /// <inheritdoc cref="SubAndTest(Page, int, string, int, string)" path="/exception"/>
    public static int DecReturn(Page page, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "") =>
        Drop(page, 1, Tracepoint.PageRefModAndReturn, "DecReturn", file, line, member);

    /// <summary>Takes <paramref name="references"/> off and returns this operation's own result (<c>folio_ref_sub_return</c>).</summary>
    /// <inheritdoc cref="SubAndTest(Page, int, string, int, string)" path="/exception"/>
    public static int SubReturn(Page page, int references, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "") =>
        Drop(page, references, Tracepoint.PageRefModAndReturn, "SubReturn", file, line, member);

    private static unsafe int Drop(Page page, int references, Tracepoint told, string operation, string file, int line, string member)
    {
        PageDescriptor* head = page.HeadDescriptor(operation);
        uint origin = RawReferences.OriginOf(head, file, line, member);
        PageRefEvent dropped = Tracking.Counting ? PageRefEvents.Of(head, origin, 0, page.FrameNumber) : default;
        int count = SubReturn(head, references, operation);
        if (dropped.Pfn != 0 && told == Tracepoint.PageRefModAndTest)
        {
            PageRefEvents.ModAndTest(ref dropped, -references, count);
        }
        else if (dropped.Pfn != 0)
        {
            PageRefEvents.ModAndReturn(ref dropped, -references, count);
        }

        if (count != 0)
        {
            // At 0 the page is the caller's alone, and its raw records end with it when it is freed.
            RawReferences.Dropped(head, references, origin);
        }

        return count;
    }

    /// <summary>
    /// Adds <paramref name="references"/> unless the count is <paramref name="unless"/>; true iff added (<c>page_ref_add_unless</c>).
    /// A frozen or free page counts 0, and 0 is refused whatever <paramref name="unless"/> says: nothing may bring back a page that is gone.
    /// </summary>
    /// <exception cref="PageBugException">The count would pass <see cref="int.MaxValue"/>.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="references"/> is not positive.</exception>
    public static unsafe bool AddUnless(Page page, int references, int unless, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "")
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(references);
        PageDescriptor* head = page.HeadOrNull();
        uint origin = head == null ? 0 : RawReferences.OriginOf(head, file, line, member);
        if (head == null || !AddUnless(head, references, unless, out _, origin, asked: page.FrameNumber))
        {
            return false;
        }

        // Who owns no reference may have lost the page between the look-up and the get: get, then check.
        if (page.HeadOrNull() != head)
        {
            Page.DropLast(head, references, origin);
            return false;
        }

        RawReferences.Taken(head, references, origin);
        return true;
    }

    // ---- On descriptors, for the rooms below. None of these writes to the ledger. ----

    /// <summary>The count; 0 while frozen.</summary>
    internal static unsafe int Count(PageDescriptor* head)
    {
        int word = Atomic.LoadAcquire(ref head->Ref._count);
        return word < 0 ? 0 : word;
    }

    /// <summary>True between <c>Freeze</c> and <c>Unfreeze</c>.</summary>
    internal static unsafe bool IsFrozen(PageDescriptor* head) => Atomic.LoadAcquire(ref head->Ref._count) == FrozenWord;

    /// <summary>True where the count is 0 and the page is not frozen either.</summary>
    internal static unsafe bool IsFree(PageDescriptor* head) => Atomic.LoadAcquire(ref head->Ref._count) == 0;

    /// <summary>Sets the count of a page that nobody can reach (<c>set_page_count</c>): legal only while it is 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static unsafe void Set(PageDescriptor* head, int count)
    {
        if (head->Ref._count != 0 || count < 0)
        {
            throw PageBug.SetOfOwned(head, count);
        }

        // Happens before: a plain store is enough. The page came to this thread through a list whose gate ordered it, and
        // leaves to another only through the user's own hand-off; a speculative getter that still sees 0 fails, as it should.
        head->Ref._count = count;
    }

    /// <summary>Sets the count of a fresh page to 1 (<c>init_page_count</c>).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static unsafe void Init(PageDescriptor* head) => Set(head, 1);

    /// <summary>The same on the hot path: false where the count is not 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static unsafe bool TryInit(PageDescriptor* head)
    {
        // Happens before: as in Set.
        if (head->Ref._count != 0)
        {
            return false;
        }

        head->Ref._count = 1;
        return true;
    }

    /// <summary>Adds to a count that the caller has a part in; returns the result.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static unsafe int AddReturn(PageDescriptor* head, int references, string operation)
    {
        ref int word = ref head->Ref._count;
        int seen = word;
        while (true)
        {
            // One comparison refuses 0 and less, frozen and free, and the wrap.
            if (references <= 0 || seen <= 0 || references > int.MaxValue - seen)
            {
                throw PageBug.CannotAdd(head, references, seen == FrozenWord, operation);
            }

            // Happens before: full fence. The caller owns a reference, so nobody can free the page meanwhile.
            int was = Atomic.CompareExchange(ref word, seen + references, seen);
            if (was == seen)
            {
                return seen + references;
            }

            seen = was;
        }
    }

    /// <summary>Takes off, down to 0 at most; returns the result.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static unsafe int SubReturn(PageDescriptor* head, int references, string operation)
    {
        ref int word = ref head->Ref._count;
        int seen = word;
        while (true)
        {
            if (references <= 0 || seen < references)
            {
                throw PageBug.CannotSub(head, references, seen == FrozenWord, operation);
            }

            // Happens before: full fence. All this thread did with the page comes before its reference is gone, and the thread
            // that reads 0 here sees what every earlier dropper did.
            int was = Atomic.CompareExchange(ref word, seen - references, seen);
            if (was == seen)
            {
                return seen - references;
            }

            seen = was;
        }
    }

    /// <summary>Takes off where there are so many; false, with nothing changed, where not. For callers that must go on.</summary>
    internal static unsafe bool TrySub(PageDescriptor* head, int references, out int left)
    {
        ref int word = ref head->Ref._count;
        int seen = word;
        while (references > 0 && seen >= references)
        {
            // Happens before: full fence, as in SubReturn.
            int was = Atomic.CompareExchange(ref word, seen - references, seen);
            if (was == seen)
            {
                left = seen - references;
                return true;
            }

            seen = was;
        }

        left = seen;
        return false;
    }

    /// <summary>True only for the call that reaches 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static unsafe bool DecAndTest(PageDescriptor* head) => SubReturn(head, 1, "Put") == 0;

    /// <summary>Takes off what cannot be the last; returns the result.</summary>
    internal static unsafe int SubNotLast(PageDescriptor* head, int references, string operation)
    {
        ref int word = ref head->Ref._count;
        int seen = word;
        while (true)
        {
            if (references <= 0 || seen <= references)
            {
                throw PageBug.CannotSub(head, references, seen == FrozenWord, operation);
            }

            // Happens before: full fence, as in SubReturn.
            int was = Atomic.CompareExchange(ref word, seen - references, seen);
            if (was == seen)
            {
                return seen - references;
            }

            seen = was;
        }
    }

    /// <summary>Adds unless the count is 0, frozen, or <paramref name="unless"/>; true iff added. Tells the count afterwards.</summary>
    internal static unsafe bool AddUnless(PageDescriptor* head, int references, int unless, out int count)
    {
        ref int word = ref head->Ref._count;
        int seen = Atomic.LoadAcquire(ref word);
        while (seen > 0 && seen != unless)
        {
            if (references <= 0 || references > int.MaxValue - seen)
            {
                throw PageBug.CannotAdd(head, references, frozen: false, "AddUnless");
            }

            // Happens before: full fence on success, so whatever is read of the page afterwards is read while it is held.
            // The page may have become another one before this: the caller checks its generation now.
            int was = Atomic.CompareExchange(ref word, seen + references, seen);
            if (was == seen)
            {
                count = seen + references;
                return true;
            }

            seen = was;
        }

        count = Math.Max(0, seen);
        return false;
    }

    /// <summary>Makes the caller the only owner if the count is exactly <paramref name="expected"/> (<c>page_ref_freeze</c>); tells the count found.</summary>
    private static unsafe bool Freeze(PageDescriptor* head, int expected, out int found)
    {
        // Happens before: full fence on success; nobody else holds a reference, so the bytes and the descriptor are the caller's.
        int was = expected > 0 ? Atomic.CompareExchange(ref head->Ref._count, FrozenWord, expected) : 0;
        found = Math.Max(0, was);
        return was == expected && expected > 0;
    }

    /// <summary>Gives a frozen page its count again (<c>page_ref_unfreeze</c>); a frozen page that is to be freed gets 0.</summary>
    private static unsafe void Unfreeze(PageDescriptor* head, int count)
    {
        if (count < 0 || head->Ref._count != FrozenWord)
        {
            throw PageBug.UnfreezeOfUnfrozen(head, count);
        }

        // Happens before: release. A getter that sees the count sees all that was written while the page was frozen.
        Atomic.StoreRelease(ref head->Ref._count, count);
    }
}
