namespace Quire;

/// <content>
/// The operations as a recording sees them: the same with an origin. The hot paths, which stand aside while a recording counts
/// (<see cref="Tracking.Counting"/>), use those without; everything else uses these, and a test holds that.
/// </content>
public partial struct PageRef
{
    /// <summary>Adds to a count that the caller has a part in; returns the result. The event carries no ticket: for gets that have one, see <see cref="Page.Get(string, int, string)"/>.</summary>
    internal static unsafe int AddReturn(PageDescriptor* head, int references, string operation, uint origin)
    {
        int count = AddReturn(head, references, operation);
        if (Tracking.Counting)
        {
            PageRefEvent added = PageRefEvents.Of(head, origin);
            PageRefEvents.Mod(ref added, references, count);
        }

        return count;
    }

    /// <summary>Takes off, down to 0 at most, and asks whether it was the last; returns the result.</summary>
    internal static unsafe int SubAndTest(PageDescriptor* head, int references, string operation, uint origin, uint ticket = 0, uint asked = 0)
    {
        if (!Tracking.Counting)
        {
            return SubReturn(head, references, operation);
        }

        PageRefEvent dropped = PageRefEvents.Of(head, origin, ticket, asked);
        int count = SubReturn(head, references, operation);
        PageRefEvents.ModAndTest(ref dropped, -references, count);
        return count;
    }

    /// <summary>Takes off what cannot be the last.</summary>
    internal static unsafe void SubNotLast(PageDescriptor* head, int references, string operation, uint origin, uint ticket = 0, uint asked = 0)
    {
        PageRefEvent dropped = Tracking.Counting ? PageRefEvents.Of(head, origin, ticket, asked) : default;
        int count = SubNotLast(head, references, operation);
        if (dropped.Pfn != 0)
        {
            PageRefEvents.Mod(ref dropped, -references, count);
        }
    }

    /// <summary>Takes off where there are so many; false, with nothing changed, where not.</summary>
    internal static unsafe bool TrySub(PageDescriptor* head, int references, out int left, uint origin)
    {
        PageRefEvent dropped = Tracking.Counting ? PageRefEvents.Of(head, origin) : default;
        bool done = TrySub(head, references, out left);
        if (done && dropped.Pfn != 0)
        {
            PageRefEvents.ModAndTest(ref dropped, -references, left);
        }

        return done;
    }

    /// <summary>Adds unless the count is 0, frozen, or <paramref name="unless"/>; true iff added.</summary>
    /// <remarks>The event of a success is the caller's, who knows the ticket by then, and so does not pass here while <paramref name="isTold"/> is false.</remarks>
    internal static unsafe bool AddUnless(PageDescriptor* head, int references, int unless, out int count, uint origin, bool isTold = true, uint asked = 0)
    {
        PageRefEvent added = Tracking.Counting ? PageRefEvents.Of(head, origin, 0, asked) : default;
        bool done = AddUnless(head, references, unless, out count);
        if (added.Pfn != 0 && (isTold || !done))
        {
            if (done)
            {
                // Who owned nothing may have read another page than the one that got the reference; from here on it stays what it is.
                added = PageRefEvents.Of(head, origin, 0, asked);
            }

            PageRefEvents.ModUnless(ref added, references, unless, count, done);
        }

        return done;
    }

    /// <summary>Sets the count of a fresh page to 1.</summary>
    internal static unsafe void Init(PageDescriptor* head, uint origin)
    {
        Init(head);
        if (Tracking.Counting)
        {
            PageRefEvents.Set(head, 1, origin);
        }
    }

    /// <summary>Makes the caller the only owner if the count is exactly <paramref name="expected"/>.</summary>
    internal static unsafe bool Freeze(PageDescriptor* head, int expected, uint origin)
    {
        PageRefEvent frozen = Tracking.Counting ? PageRefEvents.Of(head, origin) : default;
        bool done = Freeze(head, expected, out int found);
        if (frozen.Pfn != 0)
        {
            PageRefEvents.Freeze(ref frozen, expected, found, done);
        }

        return done;
    }

    /// <summary>Gives a frozen page its count again. The event comes first: afterwards the page may be anybody's.</summary>
    internal static unsafe void Unfreeze(PageDescriptor* head, int count, uint origin)
    {
        if (Tracking.Counting)
        {
            PageRefEvent thawed = PageRefEvents.Of(head, origin);
            PageRefEvents.Unfreeze(ref thawed, count);
        }

        Unfreeze(head, count);
    }
}
