namespace Quire.Traces.Tests.Kernel;

/// <summary>Contiguous allocations in the model: mm/cma.c cma_alloc(), mm/page_alloc.c alloc_contig_range(), mm/migrate.c migrate_pages().</summary>
internal sealed partial class KernelModel
{
    private IEnumerable<int> Allocator(int number)
    {
        string task = $"alloc{number}-{900 + number}";
        for (int i = _random.Next(1, 4); i > 0; i--)
        {
            foreach (int wait in Allocate(task))
            {
                yield return wait;
            }

            // Without cma events, silence is what tells two allocations apart.
            yield return HasCmaEvents ? _random.Next(200, 3000) : 400_000;
        }
    }

    private IEnumerable<int> Allocate(string task)
    {
        if (HasCmaEvents)
        {
            Event($"cma_alloc_start: name=area count={WindowPages} align=0", task, ["cma_alloc", .. s_contig[3..]]);
        }

        Attempt attempt = new() { Task = task, Start = _now * 1000 };
        if (_now >= _recordedFrom)
        {
            Attempts.Add(attempt);
        }

        for (ulong window = 0; window < Windows; window++)
        {
            if (!_isolatedWindows.Add(window))
            {
                continue;
            }

            ulong start = AreaStart + (window * WindowPages);
            List<(Page Page, long From)> inTheWay = [];
            bool[] hasFailed = [false];
            ulong[] until = [start + WindowPages];
            foreach (int wait in Empty(task, start, inTheWay, hasFailed, until))
            {
                yield return wait;
            }

            long tested = _now;
            Page[] left = [.. _pages.Values.Where(page => page.Pfn >= start && page.Pfn < start + WindowPages).OrderBy(static page => page.Pfn)];
            ulong first = left.Length == 0 ? start + WindowPages : left[0].Pfn;
            Event($"test_pages_isolated: start_pfn=0x{start:x} end_pfn=0x{start + WindowPages:x} fin_pfn=0x{first:x} ret={(left.Length == 0 ? "success" : "fail")}", task, ["test_pages_isolated", .. s_contig[1..]]);
            foreach (Page page in left.Where(page => page.Pfn < until[0]))
            {
                long from = inTheWay.Where(entry => entry.Page == page).Select(static entry => entry.From).DefaultIfEmpty(tested).Last();
                attempt.Busy[page.Pfn] = (page, from * 1000, tested * 1000);
            }

            if (left.Length == 0)
            {
                attempt.Result = "success";
                if (HasCmaEvents)
                {
                    Event($"cma_alloc_finish: name=area pfn=0x{start:x} page=00000000d0dd1883 count={WindowPages} align=0", task, ["cma_alloc", .. s_contig[3..]]);
                }

                attempt.End = _now * 1000;
                yield return _random.Next(100, 2000);
                _isolatedWindows.Remove(window);
                yield break;
            }

            _isolatedWindows.Remove(window);
            if (HasCmaEvents)
            {
                Event($"cma_alloc_busy_retry: name=area pfn=0x{start:x} page=00000000d0dd1883 count={WindowPages} align=0", task, ["cma_alloc", .. s_contig[3..]]);
            }

            attempt.Result = "busy";
            yield return _random.Next(20);
        }

        if (attempt.Result == "unfinished")
        {
            attempt.Result = "no-space";
        }

        if (HasCmaEvents)
        {
            Event($"cma_alloc_finish: name=area pfn=0x{AreaStart:x} page=0000000000000000 count={WindowPages} align=0", task, ["cma_alloc", .. s_contig[3..]]);
        }

        attempt.End = _now * 1000;
    }

    private IEnumerable<int> Empty(string task, ulong start, List<(Page Page, long From)> inTheWay, bool[] hasFailed, ulong[] until)
    {
        ulong pfn = start;
        while (pfn < start + WindowPages)
        {
            List<Page> batch = [];
            ulong highest = 0;
            for (; pfn < start + WindowPages && batch.Count < MigrationBatch; pfn++)
            {
                if (!_pages.TryGetValue(pfn, out Page? page) || !page.IsLru || page.IsIsolated || !page.HasMapping)
                {
                    continue;
                }

                highest = pfn;
                TryGet(page, task, s_isolate);
                page.Sighted = _now;
                // Pinned anonymous pages are passed over.
                if (!page.IsFile && page.Count - 1 > page.Mappings)
                {
                    inTheWay.Add((page, page.Sighted));
                    Put(page, task, ["put_page", .. s_isolate]);
                    yield return 0;
                    continue;
                }

                page.IsLru = false;
                page.IsIsolated = true;
                batch.Add(page);
                yield return 0;
            }

            if (batch.Count == 0)
            {
                continue;
            }

            if (HasCmaEvents || HasStacks)
            {
                Event("mm_migrate_pages_start: mode=MIGRATE_SYNC reason=contig_range", task, s_migrate[1..]);
            }

            int moved = 0;
            List<Page> stay = [];
            foreach (Page page in batch)
            {
                bool[] isMoved = [false];
                for (int tries = _random.Next(1, 4); tries > 0 && !isMoved[0]; tries--)
                {
                    foreach (int wait in Move(page, task, isMoved, inTheWay))
                    {
                        yield return wait;
                    }
                }

                moved += isMoved[0] ? 1 : 0;
                if (!isMoved[0])
                {
                    stay.Add(page);
                }
            }

            Event($"mm_migrate_pages: nr_succeeded={moved} nr_failed={stay.Count} nr_thp_succeeded=0 nr_thp_failed=0 nr_thp_split=0 mode=MIGRATE_SYNC reason=contig_range", task, s_migrate[1..]);
            foreach (Page page in stay)
            {
                // The batches are switched off meanwhile: it goes to the list at once.
                string[] back = ["putback_movable_pages", .. s_contig];
                Get(page, task, ["folio_add_lru", "folio_putback_lru", .. back]);
                yield return 0;
                page.IsLru = true;
                page.IsIsolated = false;
                Put(page, task, ["page_ref_dec_and_test", "release_pages", "folio_batch_move_lru", "folio_add_lru", "folio_putback_lru", .. back]);
                yield return 0;
                Put(page, task, ["folio_put", .. back]);
            }

            if (stay.Count > 0)
            {
                hasFailed[0] = true;
                until[0] = Math.Min(until[0], highest + 1);
                yield break;
            }
        }
    }

    private IEnumerable<int> Move(Page page, string task, bool[] isMoved, List<(Page Page, long From)> inTheWay)
    {
        int mapped = page.Mappings;
        for (int i = 0; i < mapped; i++)
        {
            page.Mappings--;
            Put(page, task, ["folio_put", "try_to_migrate_one", page.IsFile ? "rmap_walk_file" : "rmap_walk_anon", "try_to_migrate", .. s_migrate]);
            page.Sighted = _now;
            yield return 0;
        }

        if (!page.IsLive)
        {
            isMoved[0] = true;
            yield break;
        }

        int expected = 1 + (page.IsFile && page.HasMapping ? 1 + (page.HasPrivate ? 1 : 0) : 0);
        bool isDone = page.Count == expected;
        string[] mapping = ["folio_migrate_mapping", page.HasPrivate ? "__buffer_migrate_folio" : "migrate_folio", "move_to_new_folio", .. s_migrate];
        if (page.IsFile && page.HasMapping && (isDone || Chance(0.5)))
        {
            Ref("page_ref_freeze", page, isDone ? -expected : 0, expected, isDone ? 1 : 0, task, mapping);
            page.Sighted = _now;
        }

        if (!isDone)
        {
            inTheWay.Add((page, page.Sighted));
            for (int i = 0; i < mapped; i++)
            {
                Get(page, task, ["remove_migration_pte", page.IsFile ? "rmap_walk_file" : "rmap_walk_anon", "remove_migration_ptes", .. s_migrate]);
                page.Mappings++;
                yield return 0;
            }

            yield return _random.Next(30);
            yield break;
        }

        isMoved[0] = true;
        page.IsReady = false;
        if (page.IsFile && page.HasMapping)
        {
            page.HasMapping = page.HasPrivate;
            Ref("page_ref_unfreeze", page, expected - 1, expected - 1, null, task, mapping);
            if (page.HasPrivate)
            {
                page.HasPrivate = false;
                page.HasMapping = false;
                Put(page, task, ["folio_put", "folio_detach_private", .. mapping[1..]]);
            }
        }

        // Its new place is outside the area.
        Page to = new() { Pfn = 0x80000UL + (ulong)_newPfn++, IsFile = page.IsFile };
        _pages.Add(to.Pfn, to);
        Set(to, task, [.. s_allocate, "alloc_migration_target", .. s_migrate]);
        to.HasMapping = true;
        for (int i = 0; i < mapped; i++)
        {
            Get(to, task, ["remove_migration_pte", page.IsFile ? "rmap_walk_file" : "rmap_walk_anon", "remove_migration_ptes", .. s_migrate]);
            to.Mappings++;
        }

        page.HasMapping = false;
        Put(page, task, ["folio_put", "migrate_folio_done", .. s_migrate]);
        page.IsIsolated = false;
    }
}
