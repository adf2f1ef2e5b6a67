namespace Quire.Samples.MovableCache;

/// <summary>One value: its pages and how the clock sees it. Guarded by its shard's lock.</summary>
internal sealed class CacheEntry(long key, MovablePage[] pages, int length)
{
    internal long Key { get; } = key;

    internal MovablePage[] Pages { get; } = pages;

    /// <summary>Bytes of the value; the last page is filled in part.</summary>
    internal int Length { get; } = length;

    /// <summary>The place in the clock's ring.</summary>
    internal int Place { get; set; }

    /// <summary>Used since the hand last came by.</summary>
    internal bool IsUsed { get; set; }

    /// <summary>Those who read in place; such a value stays.</summary>
    internal int Pins { get; set; }

    internal long Bytes => (long)Pages.Length * MovablePage.Size;
}
