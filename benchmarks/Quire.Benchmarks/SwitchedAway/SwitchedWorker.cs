using Quire.Benchmarks.Measuring;
using Quire.Benchmarks.Rows;

namespace Quire.Benchmarks.SwitchedAway;

/// <summary>The work that is compared with and without tracing.</summary>
internal enum SwitchedWork
{
    /// <summary>That of the row <c>fragment-256</c>.</summary>
    Fragments,

    /// <summary>That of the row <c>page-order0</c>.</summary>
    Pages,

    /// <summary>A page got and put, which the other two do not do.</summary>
    References,
}

/// <summary>What runs inside a <see cref="SecondLibrary"/>.</summary>
internal static class SwitchedWorker
{
    /// <summary>Opens Quire's own contender of a row, on the copy of the library that this copy of the code is bound to.</summary>
    /// <param name="work">A <see cref="SwitchedWork"/>, as a number: the caller's enumeration is another type than this one.</param>
    /// <returns>What runs it, what closes it, and whether this library records a reference when it is told to.</returns>
    public static (Func<int, double> Run, Action Close, bool Tracks) Open(int work)
    {
        Owned owned = new();

        // No trims: each copy's timer would compile its own cold code in the midst of the rounds.
        PageAllocatorOptions options = new() { TrimInterval = Timeout.InfiniteTimeSpan };
        Contender contender = (SwitchedWork)work switch
        {
            SwitchedWork.Fragments => QuireContenders.OwnerFragments(RowCatalog.Small, owned, options),
            SwitchedWork.Pages => QuireContenders.Pages(owned, options),
            SwitchedWork.References => QuireContenders.References(owned, options),
            _ => throw new ArgumentOutOfRangeException(nameof(work), work, "no such work"),
        };
        return (contender.Run, owned.Dispose, Tracks());
    }

    /// <summary>Asked of the ledger itself, and not of the switch: a page's holder is on record.</summary>
    private static bool Tracks()
    {
        using PageAllocator allocator = new();
        try
        {
            using IDisposable tracking = Holders.Track();
            Page page = allocator.Allocate();
            bool found = Holders.Of(page).Entries.Count != 0;
            page.Put();
            return found;
        }
        catch (NotSupportedException)
        {
            return false;
        }
    }
}
