namespace Quire.Traces.Analysis;

/// <content>What was held when the recording began, and the comparison with what was held when it ended.</content>
internal sealed partial class HolderReplay
{
    /// <summary>What the ledger's clock may seem to be ahead of the events', which are written after it is read.</summary>
    private const long ClockAhead = 100_000_000;

    /// <summary>What it may be behind them: 20 ms, or a second or so where its ticker finds no core.</summary>
    private const long ClockBehind = 2_000_000_000;

    /// <summary>Tickets that ended after the snapshot of the end began: it may have them still.</summary>
    private readonly HashSet<uint> _endedLate = [];

    /// <summary>When the snapshot of the end began; what events changed since is newer than it.</summary>
    internal long EndBegan { get; set; } = long.MaxValue;

    /// <summary>No more events come: settles what is on record.</summary>
    /// <param name="hasEndSnapshot">A complete snapshot of the end is there: whoever is not in it is gone.</param>
    /// <param name="end">When the recording ended.</param>
    /// <param name="isPageOver">Whether a page is known to be freed.</param>
    internal void Finish(bool hasEndSnapshot, long end, Func<PageKey, bool> isPageOver)
    {
        long since = Math.Min(EndBegan, end);
        foreach (int slot in _slotOf.Values.ToArray())
        {
            ref Holding holding = ref _holdings[slot];
            if (holding.IsConfirmed)
            {
                continue;
            }

            if (hasEndSnapshot && holding.Taken <= since)
            {
                _extra.Value++;
                End(slot, new HolderLeave(end, 0, 0, holding.References));
            }
            else if (isPageOver(holding.Page))
            {
                _ofFreedPages.Value++;
                End(slot, new HolderLeave(end, 0, 0, holding.References));
            }
        }
    }

    private void AddFromStart(in TraceRecord record, EventShape shape)
    {
        Holding holding = ReadState(record, shape);
        if (_early.TryGetValue(holding.Ticket, out PageKey released) && released.Pfn == holding.Page.Pfn)
        {
            // It was released while the snapshot was being written, and so is neither held nor unmatched.
            _early.Remove(holding.Ticket);
            _unmatched.Value--;
            return;
        }

        if (!_slotOf.TryGetValue(holding.Ticket, out int slot) || _holdings[slot].Page != holding.Page)
        {
            Begin(holding, record.Time);
        }
    }

    private void CompareAtEnd(in TraceRecord record, EventShape shape)
    {
        Holding truth = ReadState(record, shape);
        if (truth.Ticket == 0 || _endedLate.Contains(truth.Ticket))
        {
            return;
        }

        if (_slotOf.TryGetValue(truth.Ticket, out int newer) && _holdings[newer].Changed >= EndBegan)
        {
            _holdings[newer].IsConfirmed = true;
            return;
        }

        if (_slotOf.TryGetValue(truth.Ticket, out int slot) && !IsSame(_holdings[slot], truth))
        {
            // Another holder's: the release of the one before is missing, and the taking of this one.
            _extra.Value++;
            End(slot, new HolderLeave(record.Time, 0, 0, _holdings[slot].References));
        }

        if (!_slotOf.TryGetValue(truth.Ticket, out slot))
        {
            _missing.Value++;
            Begin(truth, record.Time);
            _holdings[_slotOf[truth.Ticket]].IsConfirmed = true;
            return;
        }

        Holding before = _holdings[slot];
        bool movedUnseen = before.Page != truth.Page;
        bool touchedUnseen = truth.Touched != 0 && (before.Touched == 0 || _origins.SiteOf(before.TouchedOrigin) != _origins.SiteOf(truth.TouchedOrigin));
        bool differs = movedUnseen || touchedUnseen || before.References != truth.References || before.Kind != truth.Kind || before.Bytes != truth.Bytes;
        _holdings[slot].IsConfirmed = true;
        if (!differs)
        {
            return;
        }

        _differs.Value++;
        if (movedUnseen)
        {
            Unlink(slot);
            _holdings[slot].Page = truth.Page;
            Link(slot);
        }

        ref Holding holding = ref _holdings[slot];
        holding.References = truth.References;
        holding.Kind = truth.Kind;
        holding.Bytes = truth.Bytes;
        if (touchedUnseen)
        {
            holding.Touched = truth.Touched;
            holding.TouchedPid = 0;
            holding.TouchedOrigin = truth.TouchedOrigin;
        }

        Changed(before, slot, record.Time);
    }

    // The events' time is exact, the snapshot's is not; the site is the same in both.
    private bool IsSame(in Holding replayed, in Holding truth) =>
        (truth.Taken == 0 || replayed.Taken - truth.Taken is >= -ClockAhead and <= ClockBehind)
        && _origins.SiteOf(replayed.TakenOrigin) == _origins.SiteOf(truth.TakenOrigin);

    private Holding ReadState(in TraceRecord record, EventShape shape)
    {
        Holding holding = Read(record, shape);
        holding.IsFromStart = record.Snapshot != TraceSnapshot.End;
        long taken = shape.Signed(record, EventField.Taken);
        holding.Taken = taken > 0 ? taken : record.Time;
        holding.TakenPid = shape.Int(record, EventField.TakenPid, record.Pid);
        string touched = shape.Text(record, EventField.TouchedSite);
        if (touched.Length > 0)
        {
            // When is not on record; the time only says that it was.
            holding.Touched = holding.Taken;
            holding.TouchedOrigin = _origins.Of(touched, default);
        }

        return holding;
    }
}
