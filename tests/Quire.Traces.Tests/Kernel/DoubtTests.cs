using Quire.Traces.Analysis;
using Xunit;

namespace Quire.Traces.Tests.Kernel;

/// <summary>What the model of a model of a kernel found, each on a trace written by hand: who is named for sure held the page for sure.</summary>
public sealed class DoubtTests
{
    private const ulong Pfn = 0x1200;
    private static readonly string[] s_take = ["drv_get", "drv_ioctl", "do_syscall_64"];
    private static readonly string[] s_put = ["folio_put", "drv_put", "process_one_work", "worker_thread"];
    private static readonly string[] s_pipeTake = ["try_get_folio", "iov_iter_get_pages2", "__do_sys_vmsplice", "do_syscall_64"];
    private static readonly string[] s_pipePut = ["folio_put", "page_cache_pipe_buf_release", "pipe_read", "vfs_read", "do_syscall_64"];

    [Fact]
    public void Where_either_of_two_may_have_let_go_the_later_put_does_not_make_one_of_them_sure()
    {
        KernelText text = new KernelText().Looks(Pfn, mapcount: 1, count: 1).By("one-1").Take(Pfn, s_take).By("two-2").Take(Pfn, s_take).By("kworker/0:1-7").Put(Pfn, s_put);
        BlameReport report = PairingTests.Busy(text, then: static text => text.By("kworker/0:1-7").Put(Pfn, s_put));
        HolderReport holder = Assert.Single(Assert.Single(report.Attempts[0].BusyPages).Holders);
        Assert.InRange(holder.Confidence, 0.2, 0.7);
    }

    [Fact]
    public void A_put_that_fits_one_of_two_better_settles_the_doubt_of_an_earlier_one()
    {
        // Either may have let go first; what is put then is put by the one's own task in its own call.
        KernelText text = new KernelText().Looks(Pfn, mapcount: 1, count: 1).By("two-2").Take(Pfn, s_take).By("one-1").Take(Pfn, s_take).By("kworker/0:1-7").Put(Pfn, s_put);
        BlameReport doubt = PairingTests.Busy(text, then: static text => text.By("one-1").Put(Pfn, "drv_put", "drv_ioctl", "do_syscall_64"));
        HolderReport holder = Assert.Single(Assert.Single(doubt.Attempts[0].BusyPages).Holders);
        Assert.Equal(1, holder.Task!.Pid);
        Assert.InRange(holder.Confidence, 0.75, 0.99);
    }

    [Fact]
    public void A_fork_that_has_its_reference_and_not_yet_its_mapping_is_in_nobodys_way()
    {
        KernelText text = new KernelText().By("app-5").Looks(Pfn, mapcount: 0, flags: "uptodate|swapbacked", hasMapping: false).Set(Pfn, 1, "prep_new_page", "__alloc_pages")
            .Looks(Pfn, mapcount: 1, flags: "uptodate|swapbacked").Take(Pfn, "folio_add_lru", "do_anonymous_page", "handle_mm_fault")
            .By("sh-6").Take(Pfn, "copy_page_range", "dup_mmap", "copy_process", "kernel_clone").Looks(Pfn, mapcount: 2, flags: "uptodate|swapbacked");
        BusyPageReport page = Assert.Single(text.By("sh-9").CmaStart(64).Tested(0x1200, 0x1240, Pfn).CmaRetry(0x1200, 64).CmaFinish(0x1200, 64, isGot: false)
            .By("sh-6").After(1).Looks(Pfn, mapcount: 1).Put(Pfn, "release_pages", "tlb_finish_mmu", "exit_mmap", "do_exit").Blame().Attempts[0].BusyPages);
        Assert.Equal((3, 2, 0), (page.Count, page.Expected, page.Unattributed));
        Assert.Equal("lru-batch", Assert.Single(page.Holders).Class);
    }

    [Fact]
    public void What_a_CPUs_batch_gives_back_is_not_the_reference_of_a_mapping_that_went()
    {
        // The mapping of the fork is gone, and its reference waits in the dying task's batch, when the LRU batch is drained.
        KernelText text = new KernelText().By("app-5").Looks(Pfn, mapcount: 0, flags: "uptodate|swapbacked", hasMapping: false).Set(Pfn, 1, "prep_new_page", "__alloc_pages", "do_anonymous_page", "handle_mm_fault")
            .Looks(Pfn, mapcount: 1, flags: "uptodate|swapbacked").Take(Pfn, "folio_add_lru", "do_anonymous_page", "handle_mm_fault")
            .By("sh-6").Take(Pfn, "copy_page_range", "dup_mmap", "copy_process", "kernel_clone")
            .By("drv-8").Looks(Pfn, mapcount: 2, flags: "uptodate|swapbacked").Take(Pfn, s_take)
            .By("other-7").Looks(Pfn, mapcount: 1).Put(Pfn, "release_pages", "folio_batch_move_lru", "lru_add_drain_cpu", "lru_add_drain")
            .By("sh-6").Put(Pfn, "release_pages", "tlb_finish_mmu", "exit_mmap", "do_exit");
        HolderReport holder = Assert.Single(Assert.Single(PairingTests.Busy(text).Attempts[0].BusyPages).Holders);
        Assert.Equal((8, "drv_get"), (holder.Task!.Pid, holder.Site));
    }

    [Fact]
    public void Where_readers_of_pipes_are_others_than_their_writers_the_same_task_says_little()
    {
        KernelText text = new();
        for (ulong other = 0; other < 12; other++)
        {
            text.By("writer-1").Looks(0x2000 + other, mapcount: 1, count: 1).Take(0x2000 + other, s_pipeTake).By("reader-2").Put(0x2000 + other, s_pipePut)
                .By("reader-2").Looks(0x3000 + other, mapcount: 1, count: 1).Take(0x3000 + other, s_pipeTake).By("writer-1").Put(0x3000 + other, s_pipePut);
        }

        text.By("writer-1").Looks(Pfn, mapcount: 1, count: 1).Take(Pfn, s_pipeTake).By("reader-2").Take(Pfn, s_pipeTake).By("writer-1").Put(Pfn, s_pipePut);
        HolderReport holder = Assert.Single(Assert.Single(PairingTests.Busy(text).Attempts[0].BusyPages).Holders);
        Assert.InRange(holder.Confidence, 0.2, 0.7);
    }

    [Fact]
    public void The_doubt_about_one_of_two_alike_stays_when_the_other_goes()
    {
        // The first put may have been either task's; the second is one of the first task's own, and what is left is as doubtful as before.
        KernelText text = new KernelText().Looks(Pfn, mapcount: 1, count: 1).By("one-1").Take(Pfn, s_take).By("two-2").Take(Pfn, s_take).By("kworker/0:1-7").Put(Pfn, s_put)
            .By("two-2").Take(Pfn, s_take).By("one-1").Take(Pfn, s_take).By("two-2").Put(Pfn, "folio_put", "drv_put", "drv_ioctl", "do_syscall_64").By("one-1").Put(Pfn, "folio_put", "drv_put", "drv_ioctl", "do_syscall_64");
        HolderReport holder = Assert.Single(Assert.Single(PairingTests.Busy(text).Attempts[0].BusyPages).Holders);
        Assert.InRange(holder.Confidence, 0.2, 0.75);
    }

    [Fact]
    public void A_pin_of_which_the_first_part_was_taken_before_the_trace_is_one_pin()
    {
        KernelText text = new KernelText().Looks(Pfn, mapcount: 1, count: 2).By("dio-1").Take(Pfn, 1023, ["try_grab_folio", "internal_get_user_pages_fast", "bio_iov_iter_get_pages", "blkdev_direct_IO"]);
        BusyPageReport page = Assert.Single(PairingTests.Busy(text, then: static text => text.By("<idle>-0").Put(Pfn, 1024, ["__bio_release_pages", "bio_endio"])).Attempts[0].BusyPages);
        Assert.Equal((1024, 1), (Assert.Single(page.Holders).References, page.Holders[0].Pins));
        Assert.Equal(0, page.Unattributed);
    }

    [Fact]
    public void A_count_that_was_read_late_is_not_the_count_that_the_allocation_saw()
    {
        // Unmapped for the migration with three left; the event was written when another CPU had taken a fourth.
        KernelText text = new KernelText().Looks(Pfn, mapcount: 1, flags: KernelText.File, count: 2).By("r-5").Take(Pfn, s_take)
            .By("sh-9").CmaStart(64).TryTake(Pfn, true, "isolate_migratepages_block", "__alloc_contig_migrate_range", "alloc_contig_range")
            .Looks(Pfn, mapcount: 0, flags: KernelText.File).Put(Pfn, 1, ["try_to_migrate_one", "migrate_pages", "__alloc_contig_migrate_range", "alloc_contig_range"], seen: 4)
            .By("q-6", 1).Take(Pfn, "other_get", "other_ioctl").Put(Pfn, "other_put", "other_ioctl")
            .By("sh-9").Put(Pfn, "putback_movable_pages", "__alloc_contig_migrate_range", "alloc_contig_range")
            .Migrated(0, 1).Tested(0x1200, 0x1240, Pfn).CmaRetry(0x1200, 64).CmaFinish(0x1200, 64, isGot: false);
        BusyPageReport page = Assert.Single(text.Blame().Attempts[0].BusyPages);
        Assert.Equal((3, 2, 0), (page.Count, page.Expected, page.Unattributed));
    }

    [Fact]
    public void A_pin_whose_two_parts_another_task_came_between_is_one_pin()
    {
        KernelText text = new KernelText().Looks(Pfn, mapcount: 1, count: 1).By("dio-1").Take(Pfn, 1, ["try_get_folio", "internal_get_user_pages_fast", "bio_iov_iter_get_pages", "blkdev_direct_IO"])
            .By("two-2", 1).Take(Pfn, s_take).By("dio-1").Take(Pfn, 1023, ["try_grab_folio", "internal_get_user_pages_fast", "bio_iov_iter_get_pages", "blkdev_direct_IO"]);
        Assert.Equal([(1, 1024), (2, 1)], Assert.Single(PairingTests.Busy(text).Attempts[0].BusyPages).Holders.Select(static holder => (holder.Task?.Pid ?? 0, holder.References)));
    }

    [Fact]
    public void Two_counts_read_late_one_after_the_other_are_two_races_and_no_missing_event()
    {
        KernelText text = new KernelText().Looks(Pfn, mapcount: 1, count: 1).By("a-1").Take(Pfn, "x_get").Put(Pfn, "x_put")
            .Take(Pfn, 1, ["x_get"], seen: 3).By("b-2", 1).Take(Pfn, 1, ["x_get"], seen: 4).By("c-3", 2).Take(Pfn, "x_get").Put(Pfn, "x_put");
        Assert.Equal((0, 2), (text.Blame().DataQuality["count_mismatches"], text.Blame().DataQuality["counts_read_late"]));
    }
}
