namespace Quire.Traces.Analysis;

/// <summary>Walks, migrations of others, owners of movable pages, drivers; and what GUP itself and the ends of processes say where nothing else does.</summary>
internal static partial class RefRuleTable
{
    private static RefRule[] Others =>
    [
        RefRule.Of("mincore", "page-table-walk", null, "mincore_page mincore_pte_range mincore_unmapped_range __mincore_unmapped_range sys_mincore do_mincore find_get_incore_page filemap_get_incore_folio", "mm/mincore.c mincore_page()"),
        RefRule.Of("proc-maps", "page-table-walk", null, "smaps_* smap_gather_stats show_smap show_smaps_rollup clear_refs_* pagemap_* gather_pte_stats show_numa_map walk_page_range* walk_page_vma walk_pgd_range __walk_page_range folio_walk_start kpagecount_read kpageflags_read stable_page_flags", "fs/proc/task_mmu.c smaps_pte_range()"),
        RefRule.Of("madvise", "page-table-walk", null, "madvise_cold_or_pageout_pte_range madvise_free_pte_range madvise_free_huge_pmd madvise_cold madvise_pageout madvise_dontneed* madvise_vma_behavior do_madvise sys_madvise sys_process_madvise swapin_walk_pmd_entry force_shm_swapin_readahead", "mm/madvise.c madvise_cold_or_pageout_pte_range()"),
        RefRule.Of("khugepaged", "page-table-walk", null, "khugepaged khugepaged_* hpage_collapse_scan_* collapse_huge_page collapse_file __collapse_huge_page_* collapse_pte_mapped_thp madvise_collapse release_pte_*", "mm/khugepaged.c __collapse_huge_page_isolate()",
            advice: "Retry; or let khugepaged pause during the allocation: write 0 to /sys/kernel/mm/transparent_hugepage/khugepaged/defrag."),
        RefRule.Of("ksm", "page-table-walk", null, "ksm_do_scan ksm_scan_thread cmp_and_merge_page scan_get_next_rmap_item get_mergeable_page get_ksm_page ksm_get_folio try_to_merge_* stable_tree_* unstable_tree_* write_protect_page break_ksm remove_rmap_item_from_tree", "mm/ksm.c get_mergeable_page()",
            advice: "Retry; or stop KSM during the allocation: write 0 to /sys/kernel/mm/ksm/run."),
        RefRule.Of("damon-idle", "page-table-walk", null, "damon_* page_idle_* page_idle_get_folio page_idle_get_page page_idle_bitmap_*", "mm/damon/ops-common.c damon_get_folio(), mm/page_idle.c page_idle_get_folio()"),
        RefRule.Of("split", "page-table-walk", null, "split_huge_page* __split_huge_page split_folio* __folio_split folio_split deferred_split_scan split_huge_pages_*", "mm/huge_memory.c deferred_split_scan()"),
        RefRule.Of("memcg-move", "page-table-walk", null, "mem_cgroup_move_charge* mem_cgroup_count_precharge* get_mctgt_type* mc_handle_*", "mm/memcontrol-v1.c mem_cgroup_move_charge_pte_range()"),
        RefRule.Of("numa-balancing", "migration", null, "do_numa_page numa_migrate_prep numa_migrate_check do_huge_pmd_numa_page migrate_misplaced_* numamigrate_isolate_page change_pte_range change_prot_numa task_numa_work", "mm/memory.c do_numa_page(), mm/migrate.c migrate_misplaced_folio_prepare()",
            advice: "Retry; or switch NUMA balancing off during the allocation: write 0 to /proc/sys/kernel/numa_balancing."),
        RefRule.Of("migration-wait", "migration", null, "migration_entry_wait __migration_entry_wait migration_entry_wait_on_locked migration_entry_wait_huge pmd_migration_entry_wait put_and_wait_on_page_locked folio_put_wait_locked", "commit ffa65753c431: waiters for a migration held the page themselves before it (Linux 5.17)",
            advice: "Retry; update the kernel to 5.17 or later, whose waiters take no reference."),
        RefRule.Of("move-pages", "migration", null, "do_pages_move do_pages_stat* add_page_for_migration add_folio_for_migration do_move_pages_to_node queue_pages_* queue_folios_* migrate_to_node do_mbind do_migrate_pages migrate_folio_add migrate_page_add sys_move_pages sys_mbind sys_migrate_pages kernel_move_pages", "mm/migrate.c add_folio_for_migration()"),
        RefRule.Of("hot-unplug", "migration", null, "do_migrate_range offline_pages scan_movable_pages virtio_mem_*", "mm/memory_hotplug.c do_migrate_range()"),
        RefRule.Of("device-migrate", "migration", null, "migrate_device_* migrate_vma_collect* migrate_vma_setup migrate_vma_pages migrate_vma_unmap migrate_vma_finalize migrate_vma_prepare svm_migrate_* nouveau_dmem_*", "mm/migrate_device.c migrate_vma_collect_pmd()"),
        RefRule.Of("memory-error", "memory-failure", null, "memory_failure* get_hwpoison_page __get_hwpoison_page get_any_page __get_unpoison_page soft_offline_page soft_offline_in_use_page __soft_offline_page unpoison_memory shake_page shake_folio me_* hwpoison_*", "mm/memory-failure.c get_hwpoison_page()"),
        RefRule.Of("zsmalloc", "non-lru-movable", null, "zs_malloc zs_free alloc_zspage free_zspage __free_zspage async_free_zspage zs_page_* zs_compact* __zs_compact zram_* zpdesc_* alloc_zpdesc free_zpdesc z3fold_* zbud_* init_z3fold_page", "mm/zsmalloc.c alloc_zspage(), zs_page_migrate()"),
        RefRule.Of("balloon", "non-lru-movable", null, "balloon_page_* virtballoon_* fill_balloon leak_balloon tell_host update_balloon_size_func vmballoon_* balloon_process", "mm/balloon_compaction.c balloon_page_alloc()"),
        RefRule.Of("migrate", "migration", null, "migrate_pages migrate_pages_batch migrate_pages_sync unmap_and_move __unmap_and_move unmap_and_move_huge_page migrate_folio_done migrate_folio_undo_* migrate_folio_move migrate_folio_unmap move_to_new_page move_to_new_folio __migrate_folio migrate_folio migrate_page migrate_page_copy",
            "mm/migrate.c migrate_folio_move(): the old page is given up"),
        RefRule.Of("putback", "isolation", null, "putback_movable_pages folio_putback_lru putback_lru_page putback_movable_page putback_movable_ops_page", "mm/migrate.c putback_movable_pages()"),
        RefRule.Of("gpu-objects", RefClassTable.Driver, null, "drm_gem_get_pages drm_gem_put_pages drm_gem_shmem_get_pages* drm_gem_shmem_put_pages* shmem_sg_alloc_table shmem_sg_free_table shmem_get_pages shmem_put_pages ttm_tt_swapin ttm_tt_swapout ttm_pool_* ttm_backup_* shmem_read_mapping_page_gfp shmem_read_folio_gfp msm_gem_* get_pages_* tegra_bo_*", "drivers/gpu/drm/drm_gem.c drm_gem_get_pages()"),
        RefRule.Of("binder", RefClassTable.Driver, null, "binder_alloc_* binder_update_page_range binder_install_single_page binder_install_buffer_pages binder_free_page binder_shrink*", "drivers/android/binder_alloc.c binder_install_single_page()"),
        RefRule.Of("heaps", RefClassTable.Driver, null, "system_heap_* cma_heap_* ion_* dma_heap_* kgsl_* mali_kbase_* kbase_*", "drivers/dma-buf/heaps/system_heap.c system_heap_allocate()"),
    ];

    private static RefRule[] Generic =>
    [
        RefRule.Of("isolate-lru", "other-isolation", null, "folio_isolate_lru isolate_lru_page isolate_hugetlb isolate_huge_page folio_isolate_hugetlb isolate_movable_page isolate_movable_ops_page", "mm/vmscan.c folio_isolate_lru()", strength: Weak),
        RefRule.Of("gup", ShortPinName, null,
            "internal_get_user_pages_fast gup_fast_fallback gup_fast gup_fast_pte_range gup_fast_pmd_leaf gup_fast_pud_leaf gup_pgd_range gup_pud_range gup_pmd_range gup_pte_range gup_huge_pmd gup_huge_pud __gup_device_* get_user_pages* __get_user_pages* __get_user_pages_fast pin_user_pages* __gup_longterm_locked "
            + "follow_page follow_page_mask follow_page_pte follow_pmd_mask follow_trans_huge_pmd follow_huge_pmd follow_huge_pud follow_hugetlb_page hugetlb_follow_page_mask follow_devmap_* iov_iter_get_pages* __iov_iter_get_pages_alloc iov_iter_extract_pages iov_iter_extract_user_pages iov_iter_get_pages_alloc* get_user_page_fast_only",
            "mm/gup.c try_grab_folio()", strength: Weak),
        RefRule.Of("gup-end", ShortPinName, Put, "unpin_user_page* unpin_user_folio* unpin_folio* put_user_page*", "mm/gup.c gup_put_folio()", strength: Weak),
        RefRule.Of("process-end", "exit", Put, "do_exit do_group_exit exit_mmap exit_mm __mmput mmput begin_new_exec __fput fput task_work_run flush_old_exec exit_files", "kernel/exit.c do_exit()", strength: Weak),
    ];
}
