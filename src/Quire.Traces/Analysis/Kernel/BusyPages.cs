namespace Quire.Traces.Analysis;

/// <summary>Makes reports of pages that stood in the way of a kernel's contiguous allocation: count against expected, and who made the difference.</summary>
internal static class BusyPages
{
    /// <summary>References beyond those expected, for which a page's own (allocation, a mapping about to be made) are named after all others.</summary>
    private const double OwnShare = 0.5;

    /// <summary>The reason of a page without a reference that the kernel did not find free.</summary>
    internal const string Unreferenced = "unreferenced_not_free";

    internal static BusyPageReport Of(in BlockingPage block, KernelAttempt attempt, KernelPass pass)
    {
        PageSight sight = SightOf(block, pass);
        if (sight.Count < 0 || !pass.Lives.TryLife(block.Pfn, block.Life, out KernelPage page, out long? ended))
        {
            return sight.Count == 0 ? Unseen(block) with { Count = 0, Reason = Unreferenced, Unattributed = 0 } : Unseen(block);
        }

        PageExpectation shown = pass.Expectations.Of(sight.Look, sight.Mapcount, page.Order);
        List<KernelHolding> held = Held(page, ended, sight.Time, attempt, pass);
        int others = held.Where(static holding => !holding.IsStructural).Sum(static holding => holding.References);
        int coming = Coming(held, sight, pass);
        int? expected = sight.FreezeExpected > 0 ? sight.FreezeExpected
            : shown.IsKnown ? shown.Sum + sight.Own + coming
            : sight.Count > 0 ? Math.Max(0, sight.Count - others)
            : null;
        int surplus = Math.Max(0, sight.Count - expected ?? 0);
        List<HolderReport> holders = Choose(held, surplus, page, sight.Time, pass);
        int unattributed = surplus - holders.Sum(static holder => holder.References);
        PageFlags flags = sight.Look < 0 ? PageFlags.None : pass.Looks.FlagsOf(sight.Look);
        (string reason, string? kind) = Why(block, surplus, shown, flags, pass.Looks, sight.Look);
        return new BusyPageReport
        {
            Pfn = block.Pfn,
            Generation = null,
            Count = sight.Count,
            Expected = expected,
            ExpectedOf = shown.IsKnown ? Parts(shown, sight, coming) : null,
            Reason = reason,
            Class = kind,
            Holders = holders,
            Unattributed = unattributed,
            Flags = sight.Look < 0 ? null : pass.Looks.Describe(sight.Look),
            Ranges = block.Ranges,
            ClearNs = Clear(holders, unattributed, ended),
        };
    }

    // With as many references as it may have when it was isolated, it can have had one too many when another task put one meanwhile.
    private static PageSight SightOf(in BlockingPage block, KernelPass pass)
    {
        PageSight sight = block.Sight;
        if (block.Meanwhile.Count <= 0 || sight.Count < 0 || sight.FreezeExpected > 0)
        {
            return sight;
        }

        PageExpectation shown = pass.Expectations.Of(sight.Look, sight.Mapcount, 0);
        return shown.IsKnown && sight.Count <= shown.Sum + sight.Own ? block.Meanwhile : sight;
    }

    private static BusyPageReport Unseen(in BlockingPage block) => new()
    {
        Pfn = block.Pfn,
        Generation = null,
        Count = null,
        Expected = null,
        Reason = "unseen",
        Holders = [],
        Unattributed = null,
        Ranges = block.Ranges,
    };

    /// <summary>Who held the page then, without the allocation itself.</summary>
    private static List<KernelHolding> Held(in KernelPage page, long? ended, long time, KernelAttempt attempt, KernelPass pass)
    {
        List<KernelHolding> held = [];
        foreach (KernelHolding holding in pass.Settlement.HoldingsOf(page, ended, time))
        {
            // Of an allocation that is known by what happens in its midst, what it isolated was taken before.
            bool isOwn = holding.TakePid == attempt.Pid
                && (holding.Acquired >= attempt.Start || (attempt.IsImplied && holding.TakeStack == 0 && holding.PutPid == attempt.Pid && holding.Released >= attempt.Start));
            if (holding.IsHeldAt(time) && !isOwn)
            {
                held.Add(holding);
            }
        }

        return held;
    }

    // Whoever maps a page, caches it or attaches to it takes the reference first: where that is the last that was seen of the page, it does not show yet what the reference is for.
    private static int Coming(List<KernelHolding> held, in PageSight sight, KernelPass pass)
    {
        int coming = 0;
        foreach (KernelHolding holding in held)
        {
            coming += holding.Acquired == sight.Shown && holding.IsStructural && pass.Meanings[holding.TakeStack].Take.Class.Name is "fork" or "mapping" or "page-cache" or "private-data" or StackMeanings.UnknownClass ? holding.References : 0;
        }

        return coming;
    }

    // Those who made the surplus: the surest first, up to as many references as there are too many. A page's own references come last, and only where no unknown taker could be meant instead.
    private static List<HolderReport> Choose(List<KernelHolding> held, int surplus, in KernelPage page, long time, KernelPass pass)
    {
        List<HolderReport> chosen = [];
        KernelPage of = page;
        int rest = surplus;
        KernelHolding[] others = [.. held.Where(static holding => !holding.IsStructural).OrderByDescending(static holding => holding.WasHeld).ThenBy(static holding => holding.Acquired)];
        int candidates = others.Sum(static holding => holding.References);
        double share = candidates > surplus ? (double)surplus / candidates : 1;
        Add(others, share);
        Add([.. held.Where(holding => holding.IsLateAt(time)).OrderBy(static holding => holding.Released)], 1);
        if (rest > 0 && !page.IsMidLife)
        {
            Add([.. held.Where(holding => holding.IsStructural && !holding.IsLateAt(time)).OrderByDescending(static holding => holding.Acquired)], OwnShare);
        }

        return [.. chosen.OrderBy(static holder => holder.AcquiredNs ?? long.MinValue).ThenBy(static holder => holder.Site, StringComparer.Ordinal)];

        void Add(KernelHolding[] candidates, double share)
        {
            foreach (KernelHolding candidate in candidates)
            {
                if (rest <= 0)
                {
                    break;
                }

                KernelHolding part = candidate;
                part.References = Math.Min(rest, candidate.References);
                rest -= part.References;
                chosen.Add(KernelHolders.Of(part, of, time, share, pass, isThen: true));
            }
        }
    }

    private static Dictionary<string, int> Parts(PageExpectation shown, in PageSight sight, int coming)
    {
        Dictionary<string, int> parts = new(StringComparer.Ordinal)
        {
            ["mappings"] = shown.Mappings,
            ["page_cache"] = shown.Cache,
            ["swap_cache"] = shown.SwapCache,
            ["private"] = shown.Private,
            ["isolation"] = sight.FreezeExpected > 0 ? Math.Max(0, sight.FreezeExpected - shown.Sum) : sight.Own,
        };
        if (coming > 0 && sight.FreezeExpected == 0)
        {
            parts["coming"] = coming;
        }

        return parts;
    }

    // With nobody's references beyond the expected, what the page is says why it would not move.
    private static (string Reason, string? Class) Why(in BlockingPage block, int surplus, PageExpectation shown, PageFlags flags, PageLooks looks, int look)
    {
        if (surplus > 0)
        {
            return (block.Sight.FreezeExpected > 0 ? "freeze_failed" : "extra_references", null);
        }

        PageContent content = look < 0 ? PageContent.None : looks[look].Content;
        return (flags & PageFlags.Writeback) != 0 ? ("writeback", "writeback")
            : shown.Private > 0 ? ("buffers", "buffer-heads")
            : content == PageContent.Movable ? ("owner_refused", "non-lru-movable")
            : block.Sight.Count == 0 ? (Unreferenced, null)
            : block.IsTouched && block.IsSkipped ? ("passed_over", null)
            : block.IsTouched ? ("not_moved", null)
            : content == PageContent.None ? ("not_movable", "allocation")
            : (flags & PageFlags.Lru) == 0 ? ("not_on_lru", "lru-batch")
            : ("not_tried", null);
    }

    // When the last of its holders let go; where some are unknown, when the page was free.
    private static long? Clear(List<HolderReport> holders, int unattributed, long? ended)
    {
        if (unattributed > 0 || holders.Count == 0)
        {
            return ended;
        }

        long clear = long.MinValue;
        foreach (HolderReport holder in holders)
        {
            if (holder.ReleasedNs is not { } released)
            {
                return ended;
            }

            clear = Math.Max(clear, released);
        }

        return ended is { } end ? Math.Min(end, clear) : clear;
    }
}
