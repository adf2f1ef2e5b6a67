namespace Quire.Traces.Analysis;

/// <summary>
/// Puts operations on a page's count in the order in which each follows from the one before. Threads stamp after the operation, so by their times two of them
/// may change places.
/// </summary>
/// <remarks>
/// An operation that does not follow is held back, with what comes after it, until the one before it arrives. Where that does not come within
/// <see cref="Patience"/> events, an event is missing: the history goes on, and the place is marked.
/// </remarks>
internal sealed class CountOrder
{
    private const int Patience = 64;

    private readonly LinkedList<HistoryEvent> _held = [];
    private readonly Queue<HistoryEvent> _ready = [];
    private ulong? _generation;
    private int? _count;

    internal IEnumerable<HistoryEvent> Sort(IEnumerable<HistoryEvent> events)
    {
        foreach (HistoryEvent next in events)
        {
            _held.AddLast(next);
            Settle();
            if (_held.Count > Patience)
            {
                GoOn();
                Settle();
            }

            while (_ready.TryDequeue(out HistoryEvent? ready))
            {
                yield return ready;
            }
        }

        while (_held.Count > 0)
        {
            GoOn();
            Settle();
            while (_ready.TryDequeue(out HistoryEvent? ready))
            {
                yield return ready;
            }
        }
    }

    private void Settle()
    {
        bool found = true;
        while (found)
        {
            // What does not change the count goes with what it came after.
            while (_held.First is { } first && (first.Value.Before is null || Follows(first.Value)))
            {
                Take(first, gap: false);
            }

            found = false;
            for (LinkedListNode<HistoryEvent>? node = _held.First; node is not null; node = node.Next)
            {
                if (node.Value.Before is not null && node.Value.Generation == _generation && node.Value.Before == _count)
                {
                    Take(node, gap: false);
                    found = true;
                    break;
                }
            }
        }
    }

    private bool Follows(HistoryEvent next) => _count is null || next.Generation != _generation || next.Before == _count;

    private void GoOn()
    {
        if (_held.First is { } first)
        {
            Take(first, gap: true);
        }
    }

    private void Take(LinkedListNode<HistoryEvent> node, bool gap)
    {
        HistoryEvent taken = node.Value;
        _held.Remove(node);
        if (taken.Before is not null)
        {
            _generation = taken.Generation;
            _count = taken.Count;
        }

        _ready.Enqueue(gap ? taken with { Gap = true } : taken);
    }
}
