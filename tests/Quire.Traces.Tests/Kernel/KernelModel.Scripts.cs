namespace Quire.Traces.Tests.Kernel;

/// <summary>What happens in the model: lives, holders, allocations.</summary>
internal sealed partial class KernelModel
{
    private static readonly string[] s_call = ["do_syscall_64", "entry_SYSCALL_64_after_hwframe"];
    private static readonly string[] s_fault = ["__handle_mm_fault", "handle_mm_fault", "exc_page_fault", "asm_exc_page_fault"];
    private static readonly string[] s_allocate = ["post_alloc_hook", "prep_new_page", "get_page_from_freelist", "__alloc_pages", "__folio_alloc"];
    private static readonly string[] s_exit = ["exit_mmap", "__mmput", "do_exit", "__x64_sys_exit_group", .. s_call];
    private static readonly string[] s_gather = ["page_ref_dec_and_test", "release_pages", "tlb_flush_mmu", "tlb_finish_mmu", .. s_exit];
    private static readonly string[] s_drain = ["page_ref_dec_and_test", "release_pages", "folio_batch_move_lru", "lru_add_drain_cpu", "lru_add_drain", .. s_exit];
    private static readonly string[] s_fork = ["copy_page_range", "dup_mmap", "copy_process", "kernel_clone", "__do_sys_clone", .. s_call];
    private static readonly string[] s_copy = ["folio_put", "wp_page_copy", .. s_fault];
    private static readonly string[] s_readAhead = ["page_cache_ra_unbounded", "filemap_get_pages", "filemap_read", "vfs_read", "ksys_read", .. s_call];
    private static readonly string[] s_contig = ["__alloc_contig_migrate_range", "alloc_contig_range", "cma_alloc", "cma_alloc_write", .. s_call];
    private static readonly string[] s_isolate = ["isolate_migratepages_block", "isolate_migratepages_range", .. s_contig];
    private static readonly string[] s_migrate = ["migrate_pages_batch", "migrate_pages", .. s_contig];
    private static readonly string[] s_reclaim = ["shrink_folio_list", "shrink_inactive_list", "shrink_lruvec", "shrink_node", "balance_pgdat", "kswapd", "kthread"];
    private static readonly string[] s_gup = ["try_get_folio", "internal_get_user_pages_fast"];

    // One page, from its allocation to its end, with its holders.
    private IEnumerable<int> Live()
    {
        while (true)
        {
            if (FreeFrame() is not { } pfn)
            {
                yield break;
            }

            Page page = new() { Pfn = pfn, IsFile = Chance(0.4) };
            _pages.Add(pfn, page);
            string owner = AnyTask();
            foreach (int wait in page.IsFile ? Read(page, owner) : Fault(page, owner))
            {
                yield return wait;
            }

            for (int steps = _random.Next(2, 12); steps > 0; steps--)
            {
                yield return _random.Next(20, 600);
                if (page.IsLive && page.IsReady)
                {
                    Begin(Use(page), _random.Next(50));
                }
            }

            if (Chance(0.3))
            {
                // It lives to the trace's end.
                yield break;
            }

            // Its end, when no more takers come.
            yield return _random.Next(100, 3000);
            foreach (int wait in page.IsFile ? Drop(page) : Exit(page))
            {
                yield return wait;
            }

            yield return _random.Next(100, 1000);
        }
    }

    private IEnumerable<int> Fault(Page page, string owner)
    {
        Set(page, owner, [.. s_allocate, .. s_fault]);
        if (_hasAllocEvents)
        {
            Event($"mm_page_alloc: page=00000000e020ec71 pfn=0x{page.Pfn:x} order=0 migratetype=1 gfp_flags=GFP_HIGHUSER_MOVABLE", owner, ["__alloc_pages", "__folio_alloc", .. s_fault]);
        }

        yield return _random.Next(3);
        page.HasMapping = true;
        page.Mappings = 1;
        ToLru(page, owner, ["folio_add_lru", .. s_fault]);
        page.IsReady = true;
    }

    private IEnumerable<int> Read(Page page, string reader)
    {
        Set(page, reader, [.. s_allocate, .. s_readAhead]);
        if (_hasAllocEvents)
        {
            Event($"mm_page_alloc: page=00000000e020ec71 pfn=0x{page.Pfn:x} order=0 migratetype=1 gfp_flags=GFP_HIGHUSER_MOVABLE", reader, ["__alloc_pages", "__folio_alloc", .. s_readAhead]);
        }

        Hold ahead = Holder(page, reader, "allocation", [.. s_allocate, .. s_readAhead]);
        yield return _random.Next(3);
        Get(page, reader, ["__filemap_add_folio", "filemap_add_folio", .. s_readAhead]);
        page.HasMapping = true;
        ToLru(page, reader, ["folio_add_lru", "filemap_add_folio", .. s_readAhead]);
        if (Chance(0.3))
        {
            Get(page, reader, ["folio_attach_private", "create_empty_buffers", "mpage_readahead", "read_pages", .. s_readAhead]);
            page.HasPrivate = true;
        }

        yield return _random.Next(3);
        Put(page, reader, ["folio_put", "read_pages", .. s_readAhead]);
        Release(ahead, reader);
        page.IsReady = true;
    }

    // A CPU's batch holds it until it is full or somebody drains it.
    private void ToLru(Page page, string task, string[] stack)
    {
        int cpu = CpuOf(task);
        Ref("page_ref_mod", page, 1, 1, null, task, stack, cpu);
        Holder(page, task, "lru-batch", stack);
        List<Page> batch = _batches[cpu];
        batch.Add(page);
        if (batch.Count >= BatchPages)
        {
            Begin(Drain(cpu, task, ["page_ref_dec_and_test", "release_pages", "folio_batch_move_lru", .. stack]), 0);
        }
        else if (Chance(0.3))
        {
            Begin(Drain(cpu, AnyTask(), s_drain), _random.Next(3000));
        }
    }

    private IEnumerable<int> Drain(int cpu, string task, string[] stack)
    {
        Page[] batch = [.. _batches[cpu]];
        _batches[cpu].Clear();
        foreach (Page page in batch)
        {
            page.IsLru = true;
            Hold hold = page.Holds.First(static hold => hold.Class == "lru-batch");
            Release(hold, task);
            Put(page, task, stack, cpu: cpu);
            hold.Released = page.IsLive ? _now * 1000 : page.Freed * 1000;
            yield return 0;
        }
    }

    private IEnumerable<int> Use(Page page)
    {
        string task = AnyTask();
        return _random.Next(page.IsFile ? 6 : 8) switch
        {
            0 or 1 => page.IsFile ? ReadCached(page, task) : Keep(page, task, "pipe", [.. s_gup, "__iov_iter_get_pages_alloc", "iov_iter_get_pages2", "__do_sys_vmsplice", .. s_call], PipeEnd()),
            2 => page.IsFile ? Keep(page, task, "pipe", ["splice_folio_into_pipe", "filemap_splice_read", "splice_direct_to_actor", "do_splice_direct", "do_sendfile", .. s_call], PipeEnd()) : Fork(page, task),
            3 => page.IsFile ? Map(page, task) : Pin(page, task),
            4 => Keep(page, task, "unknown", ["qx_get_user", "qx_ioctl", "__x64_sys_ioctl", .. s_call], ["folio_put", "qx_release", "qx_close", .. s_call]),
            5 => Keep(page, task, "driver", ["zz_map [zz]", "zz_ioctl [zz]", "__x64_sys_ioctl", .. s_call], ["folio_put", "zz_unmap [zz]", "process_one_work", "worker_thread", "kthread"]),
            6 => Keep(page, task, "short-pin", [.. s_gup, "get_user_pages_fast", "process_vm_rw_single_vec", "process_vm_rw_core", .. s_call], ["folio_put", "process_vm_rw_single_vec", "process_vm_rw_core", .. s_call], isOwn: true),
            _ => Fork(page, task),
        };
    }

    private string[] PipeEnd() => Chance(0.7)
        ? ["folio_put", "page_cache_pipe_buf_release", "pipe_read", "vfs_read", "ksys_read", .. s_call]
        : ["folio_put", "page_cache_pipe_buf_release", "free_pipe_info", "put_pipe_info", "pipe_release", "__fput", "task_work_run", "do_exit", .. s_call];

    private IEnumerable<int> Keep(Page page, string task, string kind, string[] take, string[] put, bool isOwn = false)
    {
        if (!CanBeTaken(page))
        {
            yield break;
        }

        bool isTwo = kind == "unknown" && Chance(0.05);
        TryGet(page, task, take);
        Hold hold = Holder(page, task, kind, take);
        if (isTwo)
        {
            TryGet(page, task, take);
            Holder(page, task, kind, take);
        }

        yield return isOwn ? _random.Next(5, 50) : Chance(0.3) ? _random.Next(1000, 8000) : _random.Next(5, 400);
        string by = isOwn ? task : kind == "driver" ? "kworker/1:1-77" : kind == "unknown" || Chance(0.5) ? task : AnyTask();
        if (Chance(0.03))
        {
            yield break;
        }

        Release(hold, by);
        Put(page, by, put);
        hold.Released = (page.IsLive ? _now : page.Freed) * 1000;
    }

    private IEnumerable<int> Pin(Page page, string task)
    {
        if (!CanBeTaken(page))
        {
            yield break;
        }

        string[] take = [.. s_gup, "pin_user_pages_fast", "iov_iter_extract_pages", "bio_iov_iter_get_pages", "__blkdev_direct_IO_simple", "blkdev_read_iter", "vfs_read", "ksys_read", .. s_call];
        int cpu = CpuOf(task);
        Ref("page_ref_mod_unless", page, 1, 1, 1, task, take, cpu);
        Hold hold = Holder(page, task, "direct-io", take);
        if (Chance(0.3))
        {
            yield return 0;
        }

        Ref("page_ref_mod", page, 1023, 1023, null, task, ["try_grab_folio", .. take[1..]], cpu);
        hold.References = 1024;
        yield return _random.Next(30, 3000);
        string by = Chance(0.7) ? "<idle>-0" : AnyTask();
        Release(hold, by);
        Put(page, by, ["gup_put_folio", "__bio_release_pages", "bio_endio", "blk_update_request", "blk_mq_end_request", "blk_complete_reqs", "__do_softirq"], 1024);
        hold.Released = (page.IsLive ? _now : page.Freed) * 1000;
    }

    private IEnumerable<int> ReadCached(Page page, string task)
    {
        if (!CanBeTaken(page))
        {
            yield break;
        }

        string[] take = ["filemap_get_read_batch", "filemap_get_pages", "filemap_read", "vfs_read", "ksys_read", .. s_call];
        TryGet(page, task, take);
        Hold hold = Holder(page, task, "page-cache-reader", take);
        yield return Chance(0.1) ? _random.Next(300, 4000) : _random.Next(2, 40);
        Release(hold, task);
        Put(page, task, ["folio_put", "filemap_read", "vfs_read", "ksys_read", .. s_call]);
        hold.Released = (page.IsLive ? _now : page.Freed) * 1000;
    }

    // A mapping's reference comes an instant before the mapping, and after it when it goes.
    private IEnumerable<int> Fork(Page page, string task)
    {
        if (!CanBeTaken(page) || page.Mappings == 0)
        {
            yield break;
        }

        Get(page, task, s_fork);
        page.Mappings++;
        yield return _random.Next(100, 5000);
        while (page.IsLive && page.IsIsolated)
        {
            yield return 50;
        }

        if (!page.IsLive || page.Mappings == 0)
        {
            // It was moved, and the mapping with it.
            yield break;
        }

        page.Mappings--;
        if (Chance(0.3))
        {
            Put(page, task, s_copy);
            yield break;
        }

        foreach (int wait in LateMapping(page, task))
        {
            yield return wait;
        }
    }

    private IEnumerable<int> Map(Page page, string task)
    {
        if (!CanBeTaken(page))
        {
            yield break;
        }

        TryGet(page, task, ["next_uptodate_folio", "filemap_map_pages", "do_fault_around", .. s_fault]);
        page.Mappings++;
        yield return _random.Next(100, 5000);
        while (page.IsLive && page.IsIsolated)
        {
            yield return 50;
        }

        if (!page.IsLive || page.Mappings == 0)
        {
            // It was moved, and the mapping with it.
            yield break;
        }

        page.Mappings--;
        foreach (int wait in LateMapping(page, task))
        {
            yield return wait;
        }
    }

    private IEnumerable<int> LateMapping(Page page, string task)
    {
        Hold late = Holder(page, task, "exit-batch", [], isLate: true);
        yield return Chance(0.2) ? _random.Next(100, 1500) : _random.Next(10);
        Release(late, task);
        Put(page, task, s_gather);
        late.Released = (page.IsLive ? _now : page.Freed) * 1000;
    }

    private IEnumerable<int> Exit(Page page)
    {
        while (page.IsLive && page.IsIsolated)
        {
            yield return 50;
        }

        if (page.IsLive && page.Mappings > 0)
        {
            page.Mappings--;
            page.IsReady = page.Mappings > 0;
            foreach (int wait in LateMapping(page, AnyTask()))
            {
                yield return wait;
            }
        }
    }

    // Reclaim, or truncation.
    private IEnumerable<int> Drop(Page page)
    {
        while (page.IsLive && page.IsIsolated)
        {
            yield return 50;
        }

        if (!page.IsLive || page.Mappings > 0)
        {
            yield break;
        }

        page.IsReady = false;
        page.IsIsolated = true;
        if (page.IsLru && page.Extra == 0 && Chance(0.6))
        {
            TryGet(page, "kswapd0-50", ["isolate_lru_folios", .. s_reclaim[1..]]);
            page.IsLru = false;
            Hold reclaim = Holder(page, "kswapd0-50", "reclaim", ["isolate_lru_folios", .. s_reclaim[1..]]);
            yield return _random.Next(50);
            if (page.HasPrivate)
            {
                page.HasPrivate = false;
                Put(page, "kswapd0-50", ["folio_put", "drop_buffers", "try_to_free_buffers", "filemap_release_folio", .. s_reclaim]);
            }

            int expected = 2;
            bool isDone = page.Count == expected;
            Ref("page_ref_freeze", page, isDone ? -expected : 0, expected, isDone ? 1 : 0, "kswapd0-50", ["__remove_mapping", .. s_reclaim]);
            Release(reclaim, "kswapd0-50");
            if (isDone)
            {
                page.HasMapping = false;
                page.IsFrozen = true;
                Freed(page, "kswapd0-50", ["free_unref_page_list", .. s_reclaim]);
                reclaim.Released = page.Freed * 1000;
                yield break;
            }

            page.IsLru = true;
            Put(page, "kswapd0-50", ["folio_put", "move_folios_to_lru", .. s_reclaim[1..]]);
            reclaim.Released = _now * 1000;
            page.IsIsolated = false;
            page.IsReady = page.IsLive;
            yield break;
        }

        string task = AnyTask();
        string[] cut = ["truncate_inode_pages_range", "evict", "do_unlinkat", .. s_call];
        TryGet(page, task, ["find_lock_entries", .. cut]);
        Hold truncation = Holder(page, task, "truncation", ["find_lock_entries", .. cut]);
        if (page.HasPrivate)
        {
            page.HasPrivate = false;
            Put(page, task, ["folio_put", "drop_buffers", "try_to_free_buffers", "block_invalidate_folio", .. cut]);
        }

        page.HasMapping = false;
        Put(page, task, ["folio_put_refs", "filemap_free_folio", "filemap_remove_folio", "truncate_inode_folio", .. cut]);
        yield return _random.Next(10);
        page.IsIsolated = false;
        Release(truncation, task);
        Put(page, task, ["release_pages", "__folio_batch_release", .. cut]);
        truncation.Released = (page.IsLive ? _now : page.Freed) * 1000;
    }

    private static bool CanBeTaken(Page page) => page.IsLive && page.IsReady && !page.IsIsolated && page.HasMapping;
}
