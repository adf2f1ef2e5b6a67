namespace Quire.Traces.Analysis;

/// <summary>What a page legitimately has: the references that migration knows of and takes away itself.</summary>
/// <param name="Mappings">Entries of page tables.</param>
/// <param name="Cache">Of the page cache, one a frame.</param>
/// <param name="SwapCache">Of the swap cache, one a frame.</param>
/// <param name="Private">Of the file system's private data (buffers).</param>
/// <param name="IsKnown">False: a page whose mappings the events do not show.</param>
internal readonly record struct PageExpectation(int Mappings, int Cache, int SwapCache, int Private, bool IsKnown)
{
    internal int Sum => Mappings + Cache + SwapCache + Private;
}

/// <summary>Reads out of a page's look what it legitimately has: <c>folio_expected_ref_count</c> (include/linux/mm.h), <c>folio_migrate_mapping</c> (mm/migrate.c).</summary>
internal sealed class PageExpectations(PageLooks looks, RefEventReader reader)
{
    /// <summary>What a page of this look legitimately has.</summary>
    /// <param name="look">A number of <see cref="PageLooks"/>; -1: not seen.</param>
    /// <param name="mapcount">As recorded.</param>
    /// <param name="order">The page's order, where known; else 0.</param>
    internal PageExpectation Of(int look, int mapcount, int order)
    {
        if (look < 0)
        {
            return new PageExpectation(0, 0, 0, 0, IsKnown: false);
        }

        PageFlags flags = looks.FlagsOf(look);
        PageContent content = looks[look].Content;
        bool isFile = content == PageContent.File || (content == PageContent.Hidden && (flags & PageFlags.SwapBacked) == 0);
        bool isAnonymous = content == PageContent.Anonymous || (content == PageContent.Hidden && !isFile);
        bool isLarge = (flags & PageFlags.Head) != 0;
        int frames = isLarge ? 1 << order : 1;
        int mappings = reader.Mappings(mapcount);
        // A raw count of a large page's head leaves out what maps it as a whole, and its other frames.
        // Of anonymous memory flags tell only whether it is in the swap cache, which is rare.
        bool isKnown = reader.HasMapcount && (looks.AreFlagsKnown || content == PageContent.Anonymous) && !(isLarge && (reader.IsMapcountRaw || (isFile && order == 0)));
        return new PageExpectation(
            mappings,
            isFile ? frames : 0,
            isAnonymous && (flags & PageFlags.SwapCache) != 0 ? frames : 0,
            isFile && (flags & PageFlags.Private) != 0 ? 1 : 0,
            isKnown);
    }
}
