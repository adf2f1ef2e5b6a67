using Quire.Traces.Analysis;
using Xunit;

namespace Quire.Traces.Tests.Kernel;

/// <summary>The rules by which a put finds the reference it gives back, one by one, on traces written by hand.</summary>
public sealed class PairingTests
{
    private const ulong Pfn = 0x1200;
    private static readonly string[] s_pipeTake = ["try_get_folio", "iov_iter_get_pages2", "__do_sys_vmsplice", "do_syscall_64"];
    private static readonly string[] s_pipePut = ["folio_put", "page_cache_pipe_buf_release", "pipe_read", "vfs_read", "do_syscall_64"];
    private static readonly string[] s_unmap = ["folio_put", "zap_pte_range", "unmap_vmas", "exit_mmap", "do_exit"];

    [Fact]
    public void A_mapping_that_goes_leaves_the_pipe_its_reference()
    {
        // The task unmaps the page and the pipe keeps it: by order alone the put would be the pipe's.
        BlameReport report = new KernelText()
            .Looks(Pfn, mapcount: 1, count: 1)
            .By("app-100").Take(Pfn, s_pipeTake)
            .Looks(Pfn, mapcount: 0).Put(Pfn, s_unmap)
            .After(5).By("other-200").Take(0x99, "x").Blame();
        HolderReport holder = Assert.Single(Row(report, "pipe").Holders!);
        Assert.Equal(("app", 100), (holder.Task!.Comm, holder.Task!.Pid));
        Assert.Contains("__do_sys_vmsplice", holder.Stack);
    }

    [Fact]
    public void A_mapping_that_goes_is_known_by_the_mapcount_where_there_are_no_stacks()
    {
        BlameReport report = new KernelText()
            .Looks(Pfn, mapcount: 1, count: 1)
            .By("holder-100").Take(Pfn)
            .By("owner-200").Looks(Pfn, mapcount: 0).Put(Pfn)
            .Blame();
        Assert.Equal(100, Assert.Single(Row(report, "unknown").Holders!).Task!.Pid);
    }

    [Fact]
    public void What_balanced_histories_teach_decides_where_nothing_else_does()
    {
        // Unknown functions of two drivers, the same task for all: only the other pages show that a_put undoes a_take, b_put b_take.
        KernelText text = new();
        for (ulong other = 0; other < 8; other++)
        {
            text.By("kworker/0:1-7").Looks(0x2000 + other, mapcount: 0, hasMapping: false, count: 1)
                .Take(0x2000 + other, "a_take", "work").Put(0x2000 + other, "a_put", "later")
                .Take(0x2000 + other, "b_take", "work").Put(0x2000 + other, "b_put", "later");
        }

        // Here both are open, and the first that goes is the older one.
        BlameReport report = text.Looks(Pfn, mapcount: 1, count: 1)
            .Take(Pfn, "a_take", "work").Take(Pfn, "b_take", "work").After(3).Put(Pfn, "a_put", "later").Blame();
        HeldRow row = Assert.Single(report.HeldAtEnd, row => row.OldestPfn == Pfn && !row.Structural);
        Assert.Equal("b_take", row.Stack[0]);
    }

    [Fact]
    public void A_pin_taken_in_two_steps_is_one_pin_and_ends_by_its_sum()
    {
        KernelText text = new KernelText().Looks(Pfn, mapcount: 1, count: 1)
            .By("dio-1").Take(Pfn, 1, ["try_get_folio", "internal_get_user_pages_fast", "bio_iov_iter_get_pages", "blkdev_direct_IO"])
            .Take(Pfn, 1023, ["try_grab_folio", "internal_get_user_pages_fast", "bio_iov_iter_get_pages", "blkdev_direct_IO"]);
        HolderReport holder = Assert.Single(Row(text.Blame(), "direct-io").Holders!);
        Assert.Equal((1024, 1), (holder.References, holder.Pins));
        BlameReport gone = text.By("<idle>-0", 1).Put(Pfn, 1024, ["__bio_release_pages", "bio_endio", "blk_update_request"]).Blame();
        Assert.DoesNotContain(gone.HeldAtEnd, static row => row.Class == "direct-io");
    }

    [Fact]
    public void References_taken_one_by_one_can_go_at_once()
    {
        BlameReport report = new KernelText().Looks(Pfn, mapcount: 1, count: 1)
            .By("a-1").Take(Pfn, s_pipeTake).Take(Pfn, s_pipeTake).Take(Pfn, s_pipeTake)
            .Put(Pfn, 3, s_pipePut).Blame();
        Assert.DoesNotContain(report.HeldAtEnd, static row => !row.Structural);
    }

    [Fact]
    public void Of_two_tasks_with_the_same_stack_each_gives_back_its_own()
    {
        BlameReport report = new KernelText().Looks(Pfn, mapcount: 1, count: 1)
            .By("one-1").Take(Pfn, s_pipeTake).By("two-2").Take(Pfn, s_pipeTake)
            .By("one-1").Put(Pfn, s_pipePut).Blame();
        Assert.Equal(2, Assert.Single(Row(report, "pipe").Holders!).Task!.Pid);
    }

    [Fact]
    public void Who_puts_need_not_be_who_took()
    {
        BlameReport report = new KernelText().Looks(Pfn, mapcount: 1, count: 1)
            .By("writer-1").Take(Pfn, s_pipeTake).By("reader-2").Put(Pfn, s_pipePut).Blame();
        Assert.DoesNotContain(report.HeldAtEnd, static row => !row.Structural);
    }

    [Fact]
    public void A_frame_that_is_used_anew_begins_without_the_holders_of_its_last_life()
    {
        BlameReport report = new KernelText()
            .By("a-1").Looks(Pfn, mapcount: 0, hasMapping: false).Set(Pfn, 1, "prep_new_page").Take(Pfn, s_pipeTake)
            .Free(Pfn)
            .By("b-2").Set(Pfn, 1, "prep_new_page").Take(Pfn, "c_take").Blame();
        HolderReport holder = Assert.Single(report.HeldAtEnd.Where(static row => !row.Structural).SelectMany(static row => row.Holders!));
        Assert.Equal(2, holder.Task!.Pid);
    }

    [Fact]
    public void A_freeze_is_not_a_free_and_its_holders_stay()
    {
        KernelText text = new KernelText().Looks(Pfn, mapcount: 0, flags: KernelText.File, count: 1)
            .By("a-1").Take(Pfn, "x_take").Freeze(Pfn, 2, "split_huge_page_to_list").Unfreeze(Pfn, 2, "split_huge_page_to_list");
        BlameReport report = text.Blame();
        Assert.Equal("x_take", Assert.Single(report.HeldAtEnd, static row => !row.Structural).Stack[0]);
        Assert.Equal(0, report.DataQuality["count_mismatches"]);
    }

    [Fact]
    public void Migration_takes_the_page_caches_reference_while_the_count_is_frozen()
    {
        // Cache 1, a reader 1, isolated 1; the freeze of 3 comes back as 2: the cache's is gone.
        BlameReport report = new KernelText().Looks(Pfn, mapcount: 0, flags: KernelText.File, count: 1)
            .By("r-1").Take(Pfn, "x_take").By("mig-2").Take(Pfn, "isolate_migratepages_block", "alloc_contig_range").Freeze(Pfn, 3, "folio_migrate_mapping", "migrate_pages", "alloc_contig_range")
            .Looks(Pfn, mapcount: 0, flags: "uptodate", hasMapping: false).Unfreeze(Pfn, 2, "folio_migrate_mapping", "migrate_pages", "alloc_contig_range").Blame();
        Assert.Equal("x_take", Assert.Single(report.HeldAtEnd, static row => row is { Structural: false, Class: "unknown" }).Stack[0]);
    }

    [Fact]
    public void A_count_read_late_is_no_mismatch_and_one_that_stays_off_is()
    {
        KernelText race = new KernelText().Looks(Pfn, mapcount: 1, count: 1).Take(Pfn, "a").Put(Pfn, "a")
            .Take(Pfn, 1, ["a"], seen: 3).By("b-2", 1).Take(Pfn, 1, ["b"]).Put(Pfn, "b");
        Assert.Equal((0, 1), (race.Blame().DataQuality["count_mismatches"], race.Blame().DataQuality["counts_read_late"]));
        // Somebody took a reference and the event is missing.
        KernelText missing = new KernelText().Looks(Pfn, mapcount: 1, count: 1).Take(Pfn, "a").Looks(Pfn, mapcount: 1, count: 3).Take(Pfn, "b").Put(Pfn, "b").Take(Pfn, "b");
        Assert.Equal(1, missing.Blame().DataQuality["count_mismatches"]);
    }

    [Fact]
    public void A_refused_get_and_a_change_by_nothing_change_nothing()
    {
        BlameReport report = new KernelText().Looks(Pfn, mapcount: 1, count: 1)
            .TryTake(Pfn, isDone: false, "page_cache_get_speculative").Take(Pfn, 0, ["tail_adjust"]).Take(Pfn, s_pipeTake).Put(Pfn, s_pipePut).Blame();
        Assert.DoesNotContain(report.HeldAtEnd, static row => !row.Structural);
        Assert.Equal(0, report.DataQuality["count_mismatches"]);
    }

    [Fact]
    public void What_is_left_to_nobody_is_unattributed_never_given_to_somebody()
    {
        // Two references too many, one taking seen.
        BlameReport report = Busy(new KernelText().Looks(Pfn, mapcount: 1, count: 2).By("kt-5").Take(Pfn, s_pipeTake));
        BusyPageReport page = Assert.Single(report.Attempts[0].BusyPages);
        Assert.Equal((4, 2, 1), (page.Count, page.Expected, page.Unattributed));
        Assert.Equal("pipe", Assert.Single(page.Holders).Class);
    }

    [Fact]
    public void A_reference_from_before_the_trace_is_known_by_who_puts_it_later()
    {
        BlameReport report = Busy(new KernelText().Looks(Pfn, mapcount: 1, count: 2), then: static text => text.By("kt-5").Put(Pfn, s_pipePut));
        BusyPageReport page = Assert.Single(report.Attempts[0].BusyPages);
        HolderReport holder = Assert.Single(page.Holders);
        Assert.Null(holder.AcquiredNs);
        Assert.Empty(holder.Stack);
        Assert.Equal(("pipe", "kt", 0), (holder.Class, holder.ReleasedTask!.Comm, page.Unattributed));
        Assert.Contains("before the trace", holder.Site, StringComparison.Ordinal);
        Assert.True(holder.Confidence < 0.9);
    }

    [Fact]
    public void A_loss_while_it_was_held_halves_the_confidence()
    {
        static KernelText Taken(bool isLossy)
        {
            KernelText text = new KernelText().Looks(Pfn, mapcount: 1, count: 1).By("kt-5").Take(Pfn, s_pipeTake).After(1);
            return (isLossy ? text.Lost(7) : text).Take(0x77, "x").Put(0x77, "x");
        }

        double whole = Assert.Single(Assert.Single(Busy(Taken(false)).Attempts[0].BusyPages).Holders).Confidence;
        double lossy = Assert.Single(Assert.Single(Busy(Taken(true)).Attempts[0].BusyPages).Holders).Confidence;
        Assert.Equal(whole / 2, lossy, 0.02);
    }

    internal static BlameReport Busy(KernelText text, Action<KernelText>? then = null)
    {
        text.By("sh-9").CmaStart(64).LookedAt(Pfn).Tested(0x1200, 0x1240, Pfn).CmaRetry(0x1200, 64).CmaFinish(0x1200, 64, isGot: false).After(2);
        then?.Invoke(text);
        return text.Blame();
    }

    private static HeldRow Row(BlameReport report, string kind) => Assert.Single(report.HeldAtEnd, row => row.Class == kind && !row.Structural);
}
