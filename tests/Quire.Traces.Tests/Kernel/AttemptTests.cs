using Quire.Traces.Analysis;
using Xunit;

namespace Quire.Traces.Tests.Kernel;

/// <summary>Contiguous allocations of a kernel: where each begins and ends, what came of it, and every page in its way, on traces written by hand.</summary>
public sealed class AttemptTests
{
    private const ulong Start = 0x1200;
    private const ulong End = 0x1240;
    private const ulong Pfn = 0x1210;
    private static readonly string[] s_isolate = ["isolate_migratepages_block", "isolate_migratepages_range", "__alloc_contig_migrate_range", "alloc_contig_range", "cma_alloc"];
    private static readonly string[] s_putBack = ["putback_movable_pages", "__alloc_contig_migrate_range", "alloc_contig_range", "cma_alloc"];
    private static readonly string[] s_unmap = ["try_to_migrate_one", "rmap_walk_anon", "migrate_pages", "__alloc_contig_migrate_range", "alloc_contig_range", "cma_alloc"];
    private static readonly string[] s_migrated = ["migrate_pages", "__alloc_contig_migrate_range", "alloc_contig_range", "cma_alloc"];

    [Fact]
    public void Pages_that_move_are_in_nobodys_way()
    {
        KernelText text = new KernelText().Looks(Pfn, mapcount: 1, count: 1).By("sh-9").CmaStart(64)
            .TryTake(Pfn, true, s_isolate).Looks(Pfn, mapcount: 0).Put(Pfn, s_unmap).Put(Pfn, s_migrated).Free(Pfn)
            .Migrated(1, 0).Tested(Start, End, End).CmaFinish(Start, 64, isGot: true);
        AttemptReport attempt = Assert.Single(text.Blame().Attempts);
        Assert.Equal(("success", 1L, 0), (attempt.Result, attempt.Migrated, attempt.BusyPages.Count));
    }

    [Fact]
    public void A_page_that_was_tried_and_put_back_is_busy_and_one_that_moved_is_not()
    {
        KernelText text = new KernelText().Looks(Pfn, mapcount: 1, count: 1).Looks(Pfn + 1, mapcount: 1, count: 2).By("sh-9").CmaStart(64)
            .TryTake(Pfn, true, s_isolate).TryTake(Pfn + 1, true, s_isolate)
            .Looks(Pfn, mapcount: 0).Put(Pfn, s_unmap).Put(Pfn, s_migrated).Free(Pfn)
            .Put(Pfn + 1, s_putBack).Migrated(1, 1).Tested(Start, End, Pfn + 1).CmaRetry(Start, 64).CmaFinish(Start, 64, isGot: false);
        BusyPageReport page = Assert.Single(text.Blame().Attempts[0].BusyPages);
        Assert.Equal((Pfn + 1, 3, 2, 1), (page.Pfn, page.Count, page.Expected, page.Unattributed));
    }

    [Fact]
    public void A_page_whose_last_reference_another_task_put_is_out_of_the_way_whoever_has_its_frame_now()
    {
        KernelText text = new KernelText().Looks(Pfn, mapcount: 1, count: 2).Looks(Pfn + 1, mapcount: 1, count: 1).By("sh-9").CmaStart(64)
            .LookedAt(Pfn).TryTake(Pfn + 1, true, s_isolate).Looks(Pfn + 1, mapcount: 0).Put(Pfn + 1, s_unmap)
            .By("reader-5", 1).Put(Pfn + 1, "folio_put", "filemap_read").Free(Pfn + 1).Looks(Pfn + 1, mapcount: 0, hasMapping: false).Set(Pfn + 1, 1, "prep_new_page", "__alloc_pages")
            .By("sh-9").Tested(Start, End, Pfn).CmaRetry(Start, 64).CmaFinish(Start, 64, isGot: false);
        Assert.Equal(Pfn, Assert.Single(text.Blame().Attempts[0].BusyPages).Pfn);
    }

    [Fact]
    public void A_page_that_the_allocation_passes_over_in_silence_is_found_with_who_holds_it()
    {
        // Not on an LRU list: no reference is ever taken on it, and the test names only the first of the two.
        KernelText text = new();
        foreach (ulong pfn in (ulong[])[Pfn, Pfn + 5])
        {
            text.By("app-5").Looks(pfn, mapcount: 0, flags: "uptodate|swapbacked", hasMapping: false).Set(pfn, 1, "prep_new_page", "__alloc_pages")
                .Looks(pfn, mapcount: 1, flags: "uptodate|swapbacked").Take(pfn, "folio_add_lru", "do_anonymous_page", "handle_mm_fault");
        }

        AttemptReport attempt = text.By("sh-9").CmaStart(64).Tested(Start, End, Pfn).CmaRetry(Start, 64).CmaFinish(Start, 64, isGot: false).Blame().Attempts[0];
        Assert.Equal([Pfn, Pfn + 5], attempt.BusyPages.Select(static page => page.Pfn));
        Assert.All(attempt.BusyPages, static page =>
        {
            Assert.Equal((2, 1, 0), (page.Count, page.Expected, page.Unattributed));
            Assert.Equal(("lru-batch", 5), (Assert.Single(page.Holders).Class, page.Holders[0].Task!.Pid));
        });
    }

    [Fact]
    public void Pages_behind_a_batch_that_would_not_move_were_never_tried_and_are_not_blamed()
    {
        KernelText text = new KernelText().Looks(Pfn, mapcount: 1, count: 2).By("app-5").Looks(Pfn + 9, mapcount: 1, count: 1).Take(Pfn + 9, "x").Put(Pfn + 9, "x")
            .By("sh-9").CmaStart(64).TryTake(Pfn, true, s_isolate).Put(Pfn, s_putBack).Migrated(0, 1).Tested(Start, End, Pfn).CmaRetry(Start, 64).CmaFinish(Start, 64, isGot: false);
        Assert.Equal(Pfn, Assert.Single(text.Blame().Attempts[0].BusyPages).Pfn);
    }

    [Fact]
    public void What_the_kernel_found_free_is_free_whatever_the_events_say()
    {
        // The free of a page below the first busy one is missing.
        KernelText text = new KernelText().By("app-5").Looks(Start, mapcount: 0, hasMapping: false).Set(Start, 1, "prep_new_page").Take(Start, "x")
            .Looks(Pfn, mapcount: 1, count: 2).By("sh-9").CmaStart(64).LookedAt(Pfn).Tested(Start, End, Pfn).CmaRetry(Start, 64).CmaFinish(Start, 64, isGot: false);
        BlameReport report = text.Blame();
        Assert.Equal(Pfn, Assert.Single(report.Attempts[0].BusyPages).Pfn);
        Assert.Equal(1, report.DataQuality["pages_gone_unseen"]);
        Assert.DoesNotContain(report.HeldAtEnd, static row => !row.Structural);
    }

    [Fact]
    public void The_kernels_own_freeze_says_what_it_expected()
    {
        KernelText text = new KernelText().Looks(Pfn, mapcount: 0, flags: "uptodate|lru|private", count: 2).By("reader-5").Take(Pfn, "filemap_get_pages", "filemap_read", "vfs_read")
            .By("sh-9").CmaStart(64).TryTake(Pfn, true, s_isolate).Freeze(Pfn, 3, "folio_migrate_mapping", "migrate_pages", "alloc_contig_range").Put(Pfn, s_putBack)
            .Migrated(0, 1).Tested(Start, End, Pfn).CmaRetry(Start, 64).CmaFinish(Start, 64, isGot: false);
        BusyPageReport page = Assert.Single(text.Blame().Attempts[0].BusyPages);
        Assert.Equal((4, 3, "freeze_failed"), (page.Count, page.Expected, page.Reason));
        Assert.Equal("page-cache-reader", Assert.Single(page.Holders).Class);
    }

    [Fact]
    public void No_space_is_not_busy_and_nobody_is_to_blame()
    {
        AttemptReport attempt = new KernelText().By("sh-9").CmaStart(64).CmaFinish(ulong.MaxValue, 64, isGot: false).Blame().Attempts[0];
        Assert.Equal("no-space", attempt.Result);
        Assert.Contains("nobody is to blame", attempt.Verdict, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0, "success")]
    [InlineData(-16, "busy")]
    [InlineData(-12, "no-space")]
    [InlineData(-4, "interrupted")]
    public void Newer_kernels_say_the_result_themselves(int errorno, string result)
    {
        AttemptReport attempt = new KernelText().By("sh-9")
            .Line("cma_alloc_start: name=area request_count=64 available_count=100 total_count=4096 align=2")
            .Line($"cma_alloc_finish: name=area pfn=0x1200 page=00000000d0dd1883 count=64 align=2 errorno={errorno}").Blame().Attempts[0];
        Assert.Equal((result, 64L, 2), (attempt.Result, attempt.Pages, attempt.Align));
    }

    [Fact]
    public void Without_cma_events_the_tests_of_isolated_pages_tell_two_allocations_apart()
    {
        KernelText text = new KernelText().Looks(Pfn, mapcount: 1, count: 1).By("kt-5").Take(Pfn, "iov_iter_get_pages2", "__do_sys_vmsplice")
            .By("sh-9").LookedAt(Pfn).Tested(Start, End, Pfn).After(1)
            .By("kt-5").Put(Pfn, "page_cache_pipe_buf_release", "pipe_read").After(1)
            .By("sh-9").TryTake(Pfn, true, s_isolate).Looks(Pfn, mapcount: 0).Put(Pfn, s_unmap).Put(Pfn, s_migrated).Free(Pfn).Migrated(1, 0).Tested(Start, End, End);
        BlameReport report = text.Blame();
        Assert.Equal(["busy", "success"], report.Attempts.Select(static attempt => attempt.Result));
        Assert.Equal([0L, 1L], report.Attempts.Select(static attempt => attempt.Migrated));
        HolderReport holder = Assert.Single(Assert.Single(report.Attempts[0].BusyPages).Holders);
        Assert.Equal("pipe", holder.Class);
        Assert.True(holder.ReleasedNs > report.Attempts[0].EndNs);
        Assert.Contains("attempt 2 got the range", report.Attempts[0].Verdict, StringComparison.Ordinal);
    }

    [Fact]
    public void Ranges_further_on_are_retries_of_one_allocation()
    {
        KernelText text = new KernelText().Looks(Pfn, mapcount: 1, count: 2).By("sh-9")
            .LookedAt(Pfn).Tested(Start, End, Pfn).LookedAt(Pfn).Tested(Start, End + 1, Pfn).Tested(Start, End + 2, End + 2);
        AttemptReport attempt = Assert.Single(text.Blame().Attempts);
        Assert.Equal(("success", 3, 2), (attempt.Result, attempt.RangesTried, Assert.Single(attempt.BusyPages).Ranges));
    }

    [Fact]
    public void Stacks_alone_tell_of_an_allocation_and_of_what_did_not_move()
    {
        KernelText text = new KernelText().Looks(Pfn, mapcount: 1, count: 2).By("sh-9").TryTake(Pfn, true, s_isolate).Put(Pfn, s_putBack)
            .Take(0x55, "elsewhere", "do_syscall_64");
        AttemptReport attempt = Assert.Single(text.Blame().Attempts);
        Assert.Equal("busy", attempt.Result);
        Assert.Equal(Pfn, Assert.Single(attempt.BusyPages).Pfn);
    }

    [Fact]
    public void Two_tasks_that_allocate_at_once_are_told_apart()
    {
        KernelText text = new KernelText().Looks(Pfn, mapcount: 1, count: 2).Looks(0x2210, mapcount: 1, count: 2)
            .By("one-1").CmaStart(64).By("two-2", 1).CmaStart(64)
            .By("one-1").LookedAt(Pfn).By("two-2", 1).LookedAt(0x2210)
            .By("one-1").Tested(Start, End, Pfn).By("two-2", 1).Tested(0x2200, 0x2240, 0x2210)
            .By("two-2", 1).CmaFinish(0x2200, 64, isGot: false).By("one-1").CmaFinish(Start, 64, isGot: false);
        BlameReport report = text.Blame();
        Assert.Equal([(1, Pfn), (2, 0x2210UL)], report.Attempts.Select(static attempt => (attempt.Task!.Pid, Assert.Single(attempt.BusyPages).Pfn)));
    }

    [Fact]
    public void An_allocation_that_the_trace_cuts_off_is_unfinished()
    {
        AttemptReport attempt = new KernelText().By("sh-9").CmaStart(64).Migrated(1, 0).Blame().Attempts[0];
        Assert.Equal(("unfinished", null), (attempt.Result, attempt.EndNs));
        Assert.Contains("cut off by the trace's end", attempt.Verdict, StringComparison.Ordinal);
    }

    [Fact]
    public void A_first_busy_frame_of_which_there_is_no_event_is_named_and_nobody_else()
    {
        BusyPageReport page = Assert.Single(new KernelText().By("sh-9").CmaStart(64).Tested(Start, End, Pfn).CmaRetry(Start, 64).CmaFinish(Start, 64, isGot: false).Blame().Attempts[0].BusyPages);
        Assert.Equal((Pfn, null, null, null, "unseen"), (page.Pfn, page.Count, page.Expected, page.Unattributed, page.Reason));
        Assert.Empty(page.Holders);
    }

    [Fact]
    public void A_batch_that_puts_a_mappings_reference_late_is_what_was_in_the_way()
    {
        KernelText text = new KernelText().Looks(Pfn, mapcount: 1, count: 1).By("sh-9").CmaStart(64).TryTake(Pfn, true, s_isolate)
            .By("dying-5", 1).Looks(Pfn, mapcount: 0).Put(Pfn, "release_pages", "tlb_flush_mmu", "tlb_finish_mmu", "exit_mmap", "do_exit")
            .By("sh-9").Take(Pfn, "folio_add_lru", "folio_putback_lru", "putback_movable_pages", "alloc_contig_range").Put(Pfn, s_putBack)
            .Migrated(0, 1).Tested(Start, End, Pfn).CmaRetry(Start, 64).CmaFinish(Start, 64, isGot: false);
        BusyPageReport page = Assert.Single(text.Blame().Attempts[0].BusyPages);
        Assert.Equal((2, 1), (page.Count, page.Expected));
        HolderReport holder = Assert.Single(page.Holders);
        Assert.Equal(("exit-batch", "dying"), (holder.Class, holder.ReleasedTask!.Comm));
    }

    [Fact]
    public void Two_takings_against_one_putting_are_a_leak()
    {
        KernelText text = new();
        for (ulong pfn = 0x3000; pfn < 0x3010; pfn++)
        {
            text.By("drv-5").After(1).Looks(pfn, mapcount: 1, count: 1).Take(pfn, "drv_get", "drv_ioctl").Take(pfn, "drv_get", "drv_ioctl").Put(pfn, "drv_put", "drv_close");
        }

        BlameReport report = text.After(10).Blame(new BlameOptions { Leaks = true });
        HeldRow row = Assert.Single(report.HeldAtEnd, static row => !row.Structural);
        Assert.Equal((16L, 16, 32L, 16L, true), (row.References, row.Pages, row.Taken, row.Released, row.Suspicious));
        Assert.StartsWith("leak: drv_get took 32 references and gave 16 back", Assert.Single(report.AgainstTheRules), StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_given_back_as_often_as_it_is_taken_is_no_leak_though_the_last_is_still_held()
    {
        KernelText text = new();
        for (ulong pfn = 0x3000; pfn < 0x3040; pfn++)
        {
            text.By("drv-5").Looks(pfn, mapcount: 1, count: 1).Take(pfn, "drv_get").After(1);
            if (pfn >= 0x3002)
            {
                text.Put(pfn - 2, "drv_put");
            }
        }

        BlameReport report = text.Blame(new BlameOptions { Leaks = true });
        Assert.Empty(report.AgainstTheRules);
        Assert.Equal((2L, 64L, 62L), report.HeldAtEnd.Where(static row => !row.Structural).Select(static row => (row.References, row.Taken, row.Released)).Single());
    }

    [Fact]
    public void Asked_for_a_moment_the_answer_is_of_that_moment()
    {
        KernelText text = new KernelText().Looks(Pfn, mapcount: 1, count: 1).By("kt-5").Take(Pfn, "drv_get").After(10).Put(Pfn, "drv_put");
        Assert.Equal("drv_get", Assert.Single(text.Blame(new BlameOptions { AtNs = 100_005_000_000 }).HeldAtEnd, static row => !row.Structural).Site);
        Assert.DoesNotContain(text.Blame().HeldAtEnd, static row => !row.Structural);
        Assert.Single(text.Page(Pfn, at: 100_005_000_000).Holders);
        Assert.Empty(text.Page(Pfn).Holders);
    }
}
