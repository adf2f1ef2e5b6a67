namespace Quire.Traces.Analysis;

/// <summary>
/// Goes through a page's journal and makes holdings of it: each taking with the put that gave it back, or without where it is still held.
/// </summary>
/// <remarks>
/// Invariant of what it goes through: the sum of the open references and of those of unknown takers is the page's count, as far as the trace has its operations.
/// </remarks>
internal sealed partial class RefSettlement
{
    /// <summary>Open references beyond this are folded into those of unknown takers: a page of a library has thousands of mappings.</summary>
    private const int MostOpen = 48;

    /// <summary>The class of batches that put references of mappings after the mappings are gone.</summary>
    private const string ExitBatch = "exit-batch";

    /// <summary>How sure it is that such a batch held a reference whose mapping nobody saw go.</summary>
    private const double UnseenLateness = 0.5;

    /// <summary>From this likelihood on a pairing teaches.</summary>
    private const double Certain = 0.75;

    /// <summary>From this likelihood on it is likelier than all others together.</summary>
    private const double Likelier = 0.5;

    /// <summary>A pin is taken as 1 and then 1023 by some kernels: within this time, by one task.</summary>
    private const long PinParts = 1_000_000;

    /// <summary>The classes of stacks at which references of mappings and contents are given back.</summary>
    private static readonly HashSet<string> s_ownEnds = [.. ((string[])["mapping", "page-cache", "private-data", "swap-cache"]).SelectMany(static own => RefClasses.Find(own).EndedBy), "exit"];

    private readonly RefJournal _journal;
    private readonly PageExpectations _expectations;
    private readonly StackMeanings _meanings;
    private readonly PairingPolicy _policy;
    private readonly PairingEvidence _evidence;
    private readonly HoldingBalance _balance;
    private readonly TraceCounter _unpaired;
    private readonly List<OpenReference> _open = [];
    private readonly List<KernelHolding> _done = [];
    private readonly List<RefEntry> _rest = [];
    private double[] _scores = new double[64];
    private int _before;

    /// <summary>How likely all references of unknown takers that are left are still held: as <see cref="OpenReference.Survival"/>.</summary>
    private double _beforeSurvival;
    private int _frozenAt;
    private bool _teaches;
    private bool _followsTake;
    private int _owed;

    /// <summary>When the page was last seen to show all that it did, before it showed less.</summary>
    private long _owedFrom;
    private long _shownAt;
    private int? _shown;

    internal RefSettlement(
        RefJournal journal, PageExpectations expectations, StackMeanings meanings, PairingPolicy policy, PairingEvidence evidence, HoldingBalance balance, TraceQuality quality)
    {
        _journal = journal;
        _expectations = expectations;
        _meanings = meanings;
        _policy = policy;
        _evidence = evidence;
        _balance = balance;
        _unpaired = quality.Counter("puts_without_reference", TraceDoubt.Loss, "References given back that no taking of the trace is left for: their takings are missing.");
    }

    /// <summary>A page's life, or the trace, has ended: what it teaches is learned, and what was taken and given back is counted, what is still held too.</summary>
    internal void Finish(in KernelPage page, long? ended, bool mayTeach)
    {
        Run(page, mayTeach, ended);
        foreach (KernelHolding holding in _done)
        {
            _balance.Add(holding);
        }
    }

    /// <summary>Learns from a page that lives at the trace's end, before any such page is settled for good.</summary>
    internal void Teach(in KernelPage page) => Run(page, mayTeach: page.Unseen == 0, ended: null);

    /// <summary>A long life goes on: what is done is counted. What is open, as entries that stand for it in the journal.</summary>
    internal IReadOnlyList<RefEntry> Continue(ref KernelPage page)
    {
        Run(page, mayTeach: page.Unseen == 0, ended: null);
        _rest.Clear();
        foreach (KernelHolding holding in _done)
        {
            if (holding.Released is not null || holding.Acquired is null)
            {
                _balance.Add(holding);
            }
        }

        foreach (OpenReference open in _open)
        {
            _rest.Add(new RefEntry
            {
                Time = open.Time,
                Stack = open.Stack,
                Pid = open.Pid,
                Value = open.References,
                Count = -1,
                Mapcount = page.Mapcount,
                Look = open.IsStructural ? RefJournal.None : page.Look,
                Survival = (float)open.Survival,
                Op = open.IsStructural ? RefOp.Begin : RefOp.Take,
            });
        }

        if (_frozenAt > 0)
        {
            _rest.Add(new RefEntry { Time = page.Changed, Value = _frozenAt, Count = 0, Look = RefJournal.None, Survival = 1, Op = RefOp.Freeze });
        }

        page.Before = _before;
        return _rest;
    }

    /// <summary>The holdings of a page, those that are still held too. Valid until the next call.</summary>
    /// <param name="page">The page.</param>
    /// <param name="ended">When its life ended; null: it lives.</param>
    /// <param name="moment">The moment for which <see cref="KernelHolding.Then"/> is asked.</param>
    internal IReadOnlyList<KernelHolding> HoldingsOf(in KernelPage page, long? ended, long moment = long.MaxValue)
    {
        Run(page, mayTeach: false, ended, moment);
        return _done;
    }

    private void Run(in KernelPage page, bool mayTeach, long? ended, long moment = long.MaxValue)
    {
        _open.Clear();
        _done.Clear();
        _before = page.Before;
        _beforeSurvival = 1;
        _frozenAt = 0;
        _followsTake = false;
        _owed = 0;
        _owedFrom = _shownAt = long.MinValue;
        _shown = null;
        _teaches = mayTeach;
        for (int at = page.First; at != RefJournal.None; at = _journal[at].Next)
        {
            ref RefEntry entry = ref _journal[at];
            if (entry.Time > moment)
            {
                Then();
                moment = long.MaxValue;
            }

            Look(page, entry);
            switch (entry.Op)
            {
                case RefOp.Begin:
                    Open(entry, entry.Value, isStructural: true);
                    break;
                case RefOp.Take:
                    Take(page, entry);
                    _followsTake = true;
                    continue;
                case RefOp.Put:
                    Put(page, entry, -entry.Value, isUnseen: false);
                    break;
                case RefOp.Freeze:
                    _frozenAt = entry.Value;
                    break;
                case RefOp.Unfreeze:
                    Unfreeze(page, entry);
                    break;
                case RefOp.Unseen when entry.Value > 0:
                    _before += entry.Value;
                    break;
                case RefOp.Unseen:
                    Put(page, entry, -entry.Value, isUnseen: true);
                    break;
            }

            _followsTake = false;
        }

        Then();
        foreach (OpenReference open in _open)
        {
            _done.Add(new KernelHolding
            {
                Then = open.Then,
                Acquired = open.Time,
                References = open.References,
                TakeStack = open.Stack,
                TakePid = open.Pid,
                Released = ended,
                Confidence = open.Survival,
                Match = open.Match,
                IsStructural = open.IsStructural,
                EndedWithPage = ended is not null,
            });
        }
    }

    // The moment asked for is here: what is open is held.
    private void Then()
    {
        for (int i = 0; i < _open.Count; i++)
        {
            OpenReference open = _open[i];
            if (open.Then is null)
            {
                (open.Then, open.ThenRival) = (open.Survival, open.Rival);
                _open[i] = open;
            }
        }
    }

    // A mapping or content that the page no longer shows has a reference that somebody puts, at once or in a batch later.
    private void Look(in KernelPage page, in RefEntry entry)
    {
        if (entry.Look < 0)
        {
            return;
        }

        PageExpectation shown = _expectations.Of(entry.Look, entry.Mapcount, page.Order);
        if (shown.IsKnown)
        {
            int gone = (_shown ?? shown.Sum) - shown.Sum;
            if (gone > 0 && _owed == 0)
            {
                _owedFrom = _shownAt;
            }

            _owed = Math.Max(0, _owed + gone);
            _shown = shown.Sum;
            _shownAt = entry.Time;
        }
    }

    private void Take(in KernelPage page, in RefEntry entry)
    {
        if (entry.Value == StackMeanings.PinBias - 1)
        {
            // Its first part is the last that this task took; others may have come in between.
            for (int i = _open.Count - 1; i >= 0 && entry.Time - _open[i].Time <= PinParts; i--)
            {
                OpenReference first = _open[i];
                if (first.Pid == entry.Pid && first.References == 1 && !first.IsStructural)
                {
                    first.References += entry.Value;
                    first.Match = _meanings[entry.Stack].Pin;
                    first.IsStructural = first.Match.Class.IsStructural;
                    _open[i] = first;
                    return;
                }
            }
        }

        int references = entry.Value;
        if (references == StackMeanings.PinBias - 1 && _before > 0)
        {
            // Its first part was taken just before the trace begins.
            references++;
            _before--;
        }

        Open(entry, references, isStructural: false);
        OpenReference open = _open[^1];
        if (open.Match.Class.Name == StackMeanings.UnknownClass && BecomesContent(page, entry))
        {
            open.IsStructural = true;
            _open[^1] = open;
        }
    }

    // Without a stack that says so, the page itself does: its next event shows as many more mappings, or as much more content.
    private bool BecomesContent(in KernelPage page, in RefEntry entry)
    {
        if (entry.Next == RefJournal.None || entry.Look < 0)
        {
            return false;
        }

        ref RefEntry next = ref _journal[entry.Next];
        PageExpectation now = _expectations.Of(entry.Look, entry.Mapcount, page.Order);
        PageExpectation then = _expectations.Of(next.Look, next.Mapcount, page.Order);
        return now.IsKnown && then.IsKnown && then.Sum - now.Sum >= entry.Value;
    }

    private void Open(in RefEntry entry, int references, bool isStructural)
    {
        RefMatch match = _meanings[entry.Stack].Of(RefRole.Take, StackMeanings.IsPin(references));
        _open.Add(new OpenReference
        {
            Time = entry.Time,
            Stack = entry.Stack,
            Pid = entry.Pid,
            References = references,
            Survival = entry.Survival,
            Match = match,
            IsStructural = isStructural || match.Class.IsStructural,
        });
        if (_open.Count > MostOpen)
        {
            int oldest = _open.FindIndex(static open => open.IsStructural);
            oldest = Math.Max(oldest, 0);
            _before += _open[oldest].References;
            _open.RemoveAt(oldest);
        }
    }

    // Migration replaces the page in the page cache and leaves it without the cache's references: they went while the count was frozen.
    private void Unfreeze(in KernelPage page, in RefEntry entry)
    {
        int change = entry.Value - _frozenAt;
        if (_frozenAt > 0 && change < 0)
        {
            Put(page, entry, -change, isUnseen: false);
        }
        else if (change > 0)
        {
            Open(entry, change, isStructural: true);
        }

        _frozenAt = 0;
    }

    private void Put(in KernelPage page, in RefEntry entry, int references, bool isUnseen)
    {
        StackMeaning meaning = _meanings[entry.Stack];
        while (references > 0)
        {
            if (_open.Count == 0 && _before <= 0)
            {
                _unpaired.Value += references;
                return;
            }

            RefMatch match = meaning.Of(RefRole.Put, StackMeanings.IsPin(references));
            bool endsOwn = EndsOwn(match.Class);
            OpenPut put = new(entry.Stack, entry.Pid, references, match, Surplus(page, entry, references), endsOwn && _owed >= references, endsOwn, _followsTake);
            int best = Best(put, out double likelihood, out bool isAlone);
            if (best < 0)
            {
                int given = Math.Min(references, _before);
                _before -= given;
                _owed = Math.Max(0, _owed - given);
                references -= given;
                Done(put, entry, given, likelihood);
                continue;
            }

            KeepDoubt(best);
            OpenReference open = _open[best];
            int parts = Math.Min(references, open.References);
            _done.Add(new KernelHolding
            {
                Then = open.Then is { } then ? StillHeld(open with { Survival = then, Rival = open.ThenRival }, put) : null,
                Acquired = open.Time,
                References = parts,
                TakeStack = open.Stack,
                TakePid = open.Pid,
                Released = entry.Time,
                PutStack = entry.Stack,
                PutPid = entry.Pid,
                Confidence = StillHeld(open, put) * (IsLate(open.IsStructural, put) && !put.IsOwed ? UnseenLateness : 1),
                Match = IsLate(open.IsStructural, put) ? put.Match : open.Match,
                IsStructural = open.IsStructural,
                IsLate = IsLate(open.IsStructural, put),
                LateFrom = put.IsOwed ? _owedFrom : long.MinValue,
            });
            if (_teaches && !isUnseen && !open.IsStructural && likelihood >= Likelier && IsOnlyTaken(best))
            {
                _evidence.LearnTask(open.Stack, open.Pid == entry.Pid);
            }

            if (_teaches && !isUnseen && (isAlone || likelihood >= Certain))
            {
                _evidence.Learn(open.Stack, entry.Stack);
            }

            _owed = open.IsStructural ? Math.Max(0, _owed - parts) : _owed;
            references -= parts;
            open.References -= parts;
            if (open.References == 0)
            {
                _open.RemoveAt(best);
            }
            else
            {
                _open[best] = open;
            }
        }
    }

    // A reference of an unknown taker was given back. Where that was not the page's own (a mapping, the cache), somebody had held it.
    private void Done(in OpenPut put, in RefEntry entry, int references, double likelihood)
    {
        if (_teaches)
        {
            _evidence.Learn(PairingEvidence.Before, entry.Stack);
        }

        bool isLate = IsLate(isStructural: true, put);
        bool isStructural = put.Match.Class.IsStructural || put.IsOwed || _meanings[put.Stack].IsContiguous || (put.Match.Class.Name == StackMeanings.UnknownClass && put.Surplus >= 0);
        if (!isStructural || isLate)
        {
            _done.Add(new KernelHolding
            {
                References = references,
                Released = entry.Time,
                PutStack = entry.Stack,
                PutPid = entry.Pid,
                Confidence = likelihood * _beforeSurvival,
                Match = put.Match,
                IsStructural = isLate,
                IsLate = isLate,
                LateFrom = put.IsOwed ? _owedFrom : long.MinValue,
            });
        }
    }

    // A mapping or content that went is owed a put, and not by whoever gives back what he took himself: a pipe, a CPU's batch for the LRU lists.
    private static bool EndsOwn(RefClass kind) => kind.IsStructural || kind.Name == StackMeanings.UnknownClass || s_ownEnds.Contains(kind.Name);
}
