namespace Quire.Traces.Analysis;

/// <summary>One reading of a kernel's trace: lives of pages, journals of their references, contiguous allocations. Holders are inferred from these.</summary>
/// <remarks>Memory is bounded by live pages and their open references, and by distinct stacks, not by the trace's length.</remarks>
internal sealed class KernelPass : EventPass
{
    private readonly RefEventReader _reader;
    private readonly ulong? _focus;
    private readonly TraceCounter _flagsUnknown;

    /// <param name="input">The trace.</param>
    /// <param name="focus">A frame whose lives are kept whole; null for none.</param>
    internal KernelPass(TraceInput input, ulong? focus = null)
        : base(input)
    {
        _focus = focus;
        Stacks = new StackTable();
        Looks = new PageLooks(input);
        Meanings = new StackMeanings(Stacks, input);
        _reader = new RefEventReader(Stacks, Looks);
        Expectations = new PageExpectations(Looks, _reader);
        RefJournal journal = new();
        PairingEvidence evidence = new();
        Settlement = new RefSettlement(journal, Expectations, Meanings, new PairingPolicy(Meanings, evidence), evidence, Balance, Quality);
        Lives = new PageLifetimes(journal, Settlement, Losses, Quality);
        Attempts = new KernelAttempts(Lives, Meanings, Stacks, Losses, Quality);
        _flagsUnknown = Quality.Counter("page_flags_unknown", TraceDoubt.Damage, "1: what the bits of a page's flags mean could not be told, so what a page legitimately has is not known.");
    }

    internal StackTable Stacks { get; }

    internal StackMeanings Meanings { get; }

    internal PageLooks Looks { get; }

    internal PageExpectations Expectations { get; }

    internal HoldingBalance Balance { get; } = new();

    internal LossMap Losses { get; } = new();

    internal RefSettlement Settlement { get; }

    internal PageLifetimes Lives { get; }

    internal override KernelAttempts Attempts { get; }

    internal override PageCounts PageCounts => new(Lives.Seen, Lives.Allocated, Lives.Freed, 0, Lives.Live.LongCount(page => Lives[page].Count > 0), Quality["pages_seen_mid_life"]);

    internal override long HoldersAtEnd
    {
        get
        {
            long holders = 0;
            foreach (int page in Lives.Live)
            {
                foreach (KernelHolding holding in Settlement.HoldingsOf(Lives[page], null))
                {
                    holders += holding.Released is null && !holding.IsStructural ? 1 : 0;
                }
            }

            return holders;
        }
    }

    private protected override void Observe(in TraceRecord record, EventShape shape)
    {
        Losses.Observe(record);
        switch (shape.Kind)
        {
            case EventKind.RefSet or EventKind.RefMod or EventKind.RefUnless or EventKind.RefFreeze or EventKind.RefUnfreeze:
                _reader.Read(record, shape, out RefEvent read);
                int page = Lives.Observe(read);
                if (page >= 0 && read.Pfn == _focus)
                {
                    Lives.Watch(page);
                }

                Attempts.Observe(record, shape, read, page);
                break;
            case EventKind.PageAlloc:
                // No frame: the allocation failed, and the kernel wrote a page of none.
                if (shape.Unsigned(record, EventField.Pfn) is > 0 and < ulong.MaxValue and var allocated)
                {
                    Lives.Alloc(allocated, shape.Int(record, EventField.Order), record.Time, record.Pid, Stacks.NumberOf(record.Stack));
                }

                Attempts.Observe(record, shape);
                break;
            case EventKind.PageFree:
                ulong freed = shape.Unsigned(record, EventField.Pfn);
                Lives.Free(freed, shape.Int(record, EventField.Order), record.Time);
                Attempts.Freed(freed);
                Attempts.Observe(record, shape);
                break;
            default:
                Attempts.Observe(record, shape);
                break;
        }
    }

    private protected override void Finish()
    {
        MayLackEvents = HasLoss(Input.Quality) || HasLoss(Quality);
        Attempts.Finish();
        Lives.Finish();
        _flagsUnknown.Value = Looks.AreFlagsKnown ? 0 : 1;
    }
}
