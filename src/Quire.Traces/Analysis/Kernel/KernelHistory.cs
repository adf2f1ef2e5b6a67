namespace Quire.Traces.Analysis;

/// <summary>Reads the events of one page out of a kernel's trace: every event, its lives apart.</summary>
internal static class KernelHistory
{
    /// <summary>Reads the trace again, after a pass that knows its names.</summary>
    internal static IEnumerable<HistoryEvent> Read(KernelPass pass, ulong pfn)
    {
        pass.Input.Rewind();
        Cursor cursor = new(pass, pfn);
        while (cursor.TryNext(out HistoryEvent? found))
        {
            yield return found!;
        }
    }

    private sealed class Cursor(KernelPass pass, ulong pfn)
    {
        private int _life = 1;
        private bool _isOver;
        private bool _isBegun;
        private bool _isJustSet;

        internal bool TryNext(out HistoryEvent? found)
        {
            while (pass.Input.TryRead(out TraceRecord record))
            {
                EventShape shape = pass.Shapes.Of(record.Format);
                found = shape.Kind switch
                {
                    >= EventKind.RefSet and <= EventKind.RefUnfreeze => shape.Unsigned(record, EventField.Pfn) == pfn ? Reference(record, shape) : null,
                    EventKind.PageAlloc => Covers(record, shape) ? Allocation(record, shape) : null,
                    EventKind.PageFree or EventKind.PageFreeBatched => Covers(record, shape) ? Free(record, shape) : null,
                    EventKind.PagesIsolated => Test(record, shape),
                    EventKind.ContiguousRetry or EventKind.ContiguousFinish or EventKind.ContiguousRelease => Range(record, shape),
                    _ => null,
                };
                if (found is not null)
                {
                    return true;
                }
            }

            found = null;
            return false;
        }

        private bool Covers(in TraceRecord record, EventShape shape)
        {
            ulong first = shape.Unsigned(record, EventField.Pfn);
            int order = Math.Clamp(shape.Int(record, EventField.Order), 0, 20);
            return pfn >= first && pfn - first < 1UL << order;
        }

        private HistoryEvent Reference(in TraceRecord record, EventShape shape)
        {
            (_, int? after, string what) = PageHistory.Operation(record, shape)!.Value;
            bool isSet = shape.Kind == EventKind.RefSet;
            Begins(isSet || _isOver);
            _isJustSet = isSet;
            string look = shape.Has(EventField.Mapcount) ? $"mapcount {shape.Int(record, EventField.Mapcount)}" : "";
            string flags = pass.Looks.Describe(pass.Looks.Of(record, shape)) ?? $"0x{shape.Unsigned(record, EventField.Flags):x}";
            return Make(record, shape, $"{what}  ({look}{(look.Length > 0 ? ", " : "")}{(flags.Length > 0 ? flags : "none")})", after);
        }

        private HistoryEvent Allocation(in TraceRecord record, EventShape shape)
        {
            // It follows the set of the same allocation.
            Begins(!_isJustSet);
            _isJustSet = false;
            return Make(record, shape, $"allocated, order {shape.Int(record, EventField.Order)}", null);
        }

        private HistoryEvent Free(in TraceRecord record, EventShape shape)
        {
            _isOver = shape.Kind == EventKind.PageFree;
            return Make(record, shape, shape.Has(EventField.Order) ? $"freed, order {shape.Int(record, EventField.Order)}" : "put into a batch to be freed", null);
        }

        private HistoryEvent? Test(in TraceRecord record, EventShape shape)
        {
            ulong start = shape.Unsigned(record, EventField.StartPfn);
            ulong end = shape.Unsigned(record, EventField.EndPfn);
            ulong first = shape.Unsigned(record, EventField.FinPfn);
            return pfn < start || pfn >= end ? null
                : Make(record, shape, first == pfn ? "first in the way of a contiguous range"
                    : first < pfn ? $"in a contiguous range that 0x{first:x} was in the way of"
                    : "found free", null);
        }

        private HistoryEvent? Range(in TraceRecord record, EventShape shape)
        {
            ulong first = shape.Unsigned(record, EventField.Pfn);
            ulong count = shape.Unsigned(record, EventField.Count);
            return first != 0 && pfn >= first && pfn - first < count
                ? Make(record, shape, $"area '{shape.Text(record, EventField.Name)}', {Units.Count((long)count, "page")} from 0x{first:x}", null)
                : null;
        }

        private void Begins(bool isNew)
        {
            _life += isNew && _isBegun ? 1 : 0;
            _isBegun = true;
            _isOver = false;
        }

        private HistoryEvent Make(in TraceRecord record, EventShape shape, string what, int? count)
        {
            StackMeaning? meaning = record.Stack.IsEmpty ? null : pass.Meanings[pass.Stacks.NumberOf(record.Stack)];
            return new HistoryEvent
            {
                TimeNs = record.Time,
                Task = pass.Task(record.Pid),
                Event = shape.Format.Name,
                Generation = null,
                Life = _life,
                Count = count,
                What = what,
                Site = meaning?.Label,
                Stack = meaning?.Frames ?? [],
                Snapshot = false,
            };
        }
    }
}
