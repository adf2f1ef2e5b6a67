namespace Quire.Traces.Analysis;

/// <content>What stood in the way of a range that was not free.</content>
internal sealed partial class KernelAttempts
{
    /// <summary>What stood in the way of a range that was not free. Of an unknown range (0 to 0) what was isolated and not moved.</summary>
    private void Blocked(KernelAttempt attempt, ulong start, ulong end, long time, ulong? named)
    {
        ulong highest = 0;
        bool isNamedKnown = named is null;
        foreach ((ulong pfn, TouchedPage touched) in attempt.Touched)
        {
            highest = Math.Max(highest, pfn);
            if (!touched.IsGone && pfn >= (named ?? 0) && _lives.Find(pfn) >= 0)
            {
                isNamedKnown |= pfn == named;
                Block(attempt, pfn, touched.Sight, isTouched: true, touched.IsSkipped, touched.Meanwhile);
            }
        }

        if (!isNamedKnown)
        {
            ulong head = _lives.HeadOf(named!.Value);
            PageSight sight = Sight(head, time);
            // Its last reference went, and still the kernel did not find it free: a pool or a list has it.
            bool isFreed = sight.Count < 0 && attempt.Touched.ContainsKey(head);
            sight.Count = isFreed ? 0 : sight.Count;
            Block(attempt, head, sight, isTouched: isFreed, isSkipped: false);
        }

        // After a batch that would not move the rest of the range is never tried: pages there live, and are in nobody's way yet.
        ulong from = Math.Max(start, named ?? start);
        ulong until = attempt.HasFailedMigration ? Math.Min(end, highest + 1) : end;
        if (named is null || until <= from || until - from > (ulong)(MostFramesScanned - _scanned))
        {
            return;
        }

        _scanned += (long)(until - from);
        for (ulong pfn = from; pfn < until; pfn++)
        {
            int page = _lives.Find(pfn);
            if (page >= 0 && _lives[page].Count > 0 && !attempt.Touched.ContainsKey(pfn) && !_losses.Overlaps(_lives[page].Changed, time))
            {
                Block(attempt, pfn, Sight(pfn, time), isTouched: false, isSkipped: false);
            }
        }
    }

    private void FoundFree(ulong start, ulong end, long time)
    {
        if (end <= start || end - start > (ulong)(MostFramesScanned - _scanned))
        {
            return;
        }

        _scanned += (long)(end - start);
        for (ulong pfn = start; pfn < end; pfn++)
        {
            _lives.FoundFree(pfn, time);
        }
    }

    private void Block(KernelAttempt attempt, ulong pfn, PageSight sight, bool isTouched, bool isSkipped, PageSight meanwhile = default)
    {
        bool isKnown = attempt.Blocking.TryGetValue(pfn, out BlockingPage block);
        if (!isKnown && attempt.Blocking.Count >= PagesLimit)
        {
            NotKept.Value++;
            return;
        }

        int page = _lives.Find(pfn);
        if (page >= 0)
        {
            _lives.Watch(page);
            block.Life = _lives[page].Life;
        }

        block.Pfn = pfn;
        block.Sight = isTouched || !block.IsTouched ? sight : block.Sight;
        block.Meanwhile = isTouched ? meanwhile : block.Meanwhile;
        block.Ranges++;
        block.IsTouched |= isTouched;
        block.IsSkipped = isTouched ? isSkipped : block.IsSkipped;
        attempt.Blocking[pfn] = block;
    }
}
