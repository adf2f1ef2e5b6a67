using System.Runtime.CompilerServices;

namespace Quire.Traces.Analysis;

/// <content>A page is met, its count followed, its journal written.</content>
internal sealed partial class PageLifetimes
{
    // A page is first seen in the midst of its life: what it had before is its count without this operation.
    private int Meet(in RefEvent read)
    {
        int before = read.Op switch
        {
            RefOp.Take => (read.Result >= 0 ? read.Result : read.Count) - read.Value,
            RefOp.Put => (read.Result >= 0 ? read.Result : read.Count) - read.Value,
            RefOp.Freeze => read.Value,
            _ => 0,
        };
        if (before < 0 || (read.Op is RefOp.Take or RefOp.Put && read.Count < 0))
        {
            // It was read after others had changed it.
            before = Math.Max(0, -read.Value);
        }

        int at = Make(read.Pfn, read.Time);
        ref KernelPage page = ref this[at];
        page.IsMidLife = read.Op != RefOp.Unfreeze;
        _midLife.Value += page.IsMidLife ? 1 : 0;
        page.Count = page.Before = before;
        return at;
    }

    private void Count(ref KernelPage page, in RefEvent read)
    {
        int sum = page.Count + read.Value;
        int seen = read.Result >= 0 ? read.Result : read.Count;
        if (page.Off == read.Value)
        {
            // What the last count had too much was this operation: it was read late, and is no sign of a missing event.
            page.Off = 0;
        }

        if (read.Result >= 0 || seen == sum || seen < 0)
        {
            if (read.Result >= 0 && seen != sum)
            {
                Correct(ref page, read, seen - sum);
                sum = seen;
            }

            page.Off = 0;
        }
        else if (page.Off == seen - sum)
        {
            Correct(ref page, read, seen - sum);
            sum = seen;
            page.Off = 0;
        }
        else
        {
            _races.Value++;
            page.Off = seen - sum;
        }

        page.Count = sum;
    }

    private void Correct(ref KernelPage page, in RefEvent read, int missing)
    {
        if (missing == 0)
        {
            return;
        }

        _mismatches.Value++;
        page.Unseen += Math.Abs(missing);
        page.Count += missing;
        Write(ref page, new RefEvent { Pfn = read.Pfn, Time = read.Time, Value = missing, Count = page.Count, Op = RefOp.Unseen, Look = read.Look, Mapcount = read.Mapcount });
    }

    private void Write(ref KernelPage page, in RefEvent read)
    {
        page.Changed = read.Time;
        if (read.Look >= 0)
        {
            page.Look = read.Look;
            page.Mapcount = read.Mapcount;
            page.MigrateType = read.MigrateType >= 0 ? read.MigrateType : page.MigrateType;
        }

        page.Entries++;
        Journal.Append(ref page.First, ref page.Last, new RefEntry
        {
            Time = read.Time,
            Stack = read.Stack,
            Pid = read.Pid,
            Value = read.Value,
            Count = read.Count,
            Mapcount = read.Mapcount,
            Look = read.Look,
            Op = read.Op,
            Survival = 1,
        });
    }

    /// <summary>Settles what there is and leaves what is still open.</summary>
    private void Shorten(ref KernelPage page)
    {
        IReadOnlyList<RefEntry> open = _settlement.Continue(ref page);
        Journal.Drop(ref page.First, ref page.Last);
        page.Entries = 0;
        foreach (RefEntry entry in open)
        {
            Journal.Append(ref page.First, ref page.Last, entry);
            page.Entries++;
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void ShortenAll()
    {
        foreach (int at in _byPfn.Values)
        {
            ref KernelPage page = ref this[at];
            if (page.Entries > 4 && !page.IsWatched && !page.IsTouched)
            {
                Shorten(ref page);
            }
        }

        // What can't be shortened is live references; the next time is when as many again have come.
        _crowded = Math.Max(MostEntries, Journal.Count * 2);
    }
}
