using System.Runtime.CompilerServices;

namespace Quire;

/// <summary>
/// Many fragments freed at once, grouped by page: one atomic a page (the point of <c>__page_frag_drain</c>), none for the page that is
/// current in the caller's own cache. The grouping lives on the stack.
/// </summary>
internal static unsafe class FragmentBatch
{
    private const int MostPages = 128;

    private struct Group
    {
        internal ulong Identity;
        internal int References;
    }

    [SkipLocalsInit]
    internal static void Free(ReadOnlySpan<PageFragment> fragments, PageFragmentCache? owner, CallSite site)
    {
        Span<Group> groups = stackalloc Group[MostPages];
        Failures failures = default;
        int count = 0;
        uint origin = Tracking.Active ? Origin.Here(site) : 0;
        for (int i = 0; i < fragments.Length;)
        {
            // 1. The run of fragments of one page that begins here: neighbours in a batch mostly are of one page.
            ulong identity = fragments[i]._identity;
            int first = i;
            do
            {
                i++;
            }
            while (i < fragments.Length && fragments[i]._identity == identity);

            int references = i - first;
            if (PageMap.DescriptorOf(identity)->Identity != identity)
            {
                // 2. Recorded ones end their tickets one by one; what is left to count is the same. Bad ones are left out.
                references = EndTickets(fragments[first..i], first, site, ref failures);
                identity = PageIdentity.Unmarked(identity);
                if (references == 0)
                {
                    continue;
                }
            }

            if (owner != null && owner.TryGiveBack(identity, references))
            {
                continue;
            }

            // 3. Into its page's group; where there are too many pages, those so far go first.
            int group = Find(groups[..count], identity);
            if (group < 0 && count == MostPages)
            {
                Drop(groups, fragments, ref failures, origin);
                count = 0;
            }

            if (group < 0)
            {
                groups[count++] = new Group { Identity = identity, References = references };
            }
            else
            {
                groups[group].References += references;
            }
        }

        Drop(groups[..count], fragments, ref failures, origin);
        if (failures.First is not null)
        {
            throw failures.ToException(fragments.Length);
        }
    }

    private static int Find(ReadOnlySpan<Group> groups, ulong identity)
    {
        for (int i = groups.Length - 1; i >= 0; i--)
        {
            if (groups[i].Identity == identity)
            {
                return i;
            }
        }

        return -1;
    }

    private static void Drop(ReadOnlySpan<Group> groups, ReadOnlySpan<PageFragment> fragments, ref Failures failures, uint origin)
    {
        foreach (Group group in groups)
        {
            PageDescriptor* page = PageMap.DescriptorOf(group.Identity);
            int references = group.References;
            bool all = PageRef.TrySub(page, references, out int left, origin);
            int dropped = all ? references : 0;

            // More handles than references: one was doubled. All that can be dropped is.
            while (!all && dropped < references && PageRef.TrySub(page, 1, out left, origin))
            {
                dropped++;
            }

            if (dropped != references)
            {
                failures.Add(PageBug.TooManyHandles(page, references, dropped), IndexOfDouble(fragments, group.Identity), references - dropped);
            }

            if (dropped != 0 && left == 0)
            {
                PageOwners.Find(page->Owner)!.Release(page, PageTemperature.Hot, origin);
            }
        }
    }

    /// <summary>The first handle to a page that stood in the batch before; -1 where none did.</summary>
    private static int IndexOfDouble(ReadOnlySpan<PageFragment> fragments, ulong identity)
    {
        for (int i = 1; i < fragments.Length; i++)
        {
            if (fragments[i]._identity == identity && fragments[..i].Contains(fragments[i]))
            {
                return i;
            }
        }

        return -1;
    }

    private static int EndTickets(ReadOnlySpan<PageFragment> run, int index, CallSite site, ref Failures failures)
    {
        int ended = 0;
        for (int i = 0; i < run.Length; i++)
        {
            try
            {
                PageDescriptor* page = run[i].Page.HeadOrNull();
                if (page == null)
                {
                    throw PageBug.Stale(run[i]._identity, "Free", site.File, site.Line, site.Member);
                }

                if (run[i].IsTracked)
                {
                    Page.ReleaseTicket(page, run[i].Ticket, 1, "Free", Origin.Here(site));
                }

                ended++;
            }
            catch (PageBugException bug)
            {
                failures.Add(bug, index + i, 1);
            }
        }

        return ended;
    }

    private struct Failures
    {
        private int _index;
        private int _count;

        internal PageBugException? First { get; private set; }

        internal void Add(PageBugException bug, int index, int references)
        {
            _index = First is null ? index : _index;
            First ??= bug;
            _count += references;
        }

        internal readonly PageBugException ToException(int length)
        {
            string where = _index < 0 ? "" : $", the first at index {_index}";
            return new PageBugException($"Free of {length} fragments: {_count} not freed{where}; the other {length - _count} were. {First!.Message}", First);
        }
    }
}
