namespace Quire.Traces.Analysis;

/// <summary>References that batches and lists of the memory management hold.</summary>
internal static partial class RefRuleTable
{
    private const string Contig = "alloc_contig_range* __alloc_contig_migrate_range alloc_contig_pages* alloc_contig_frozen* cma_alloc* __cma_alloc*";

    private static RefRule[] Lists =>
    [
        RefRule.Of("lru-add", "lru-batch", null,
            "folio_add_lru folio_add_lru_vma __folio_batch_add_and_move folio_batch_add_and_move folio_batch_move_lru lru_cache_add __lru_cache_add lru_cache_add_* __pagevec_lru_add* pagevec_lru_move_fn pagevec_add_and_need_flush",
            "mm/swap.c folio_add_lru(), folio_batch_move_lru(): one reference a batched page until the batch moves to the lists"),
        RefRule.Of("lru-move", "lru-batch", null,
            "folio_activate activate_page __activate_page folio_mark_accessed mark_page_accessed __lru_cache_activate_* folio_deactivate deactivate_page deactivate_file_page deactivate_file_folio "
            + "folio_mark_lazyfree mark_page_lazyfree folio_rotate_reclaimable rotate_reclaimable_page pagevec_move_tail* pagevec_activate_page",
            "mm/swap.c folio_activate(), folio_rotate_reclaimable()"),
        RefRule.Of("lru-drain", "lru-batch", null,
            "lru_add_drain lru_add_drain_cpu lru_add_drain_cpu_zone lru_add_drain_per_cpu lru_add_and_bh_lrus_drain lru_add_drain_all __lru_add_drain_all lru_cache_disable",
            "mm/swap.c lru_add_drain_cpu()"),
        RefRule.Of("mlock-batch", "lru-batch", null,
            "mlock_folio mlock_new_folio munlock_folio mlock_folio_batch mlock_page mlock_new_page munlock_page mlock_pagevec mlock_drain_local mlock_drain_remote mlock_page_drain_local mlock_page_drain_remote need_mlock_page_drain "
            + "munlock_vma_page __munlock_pagevec __munlock_pagevec_fill",
            "mm/mlock.c mlock_folio()"),
        RefRule.Of("mmu-gather", "exit-batch", Put,
            "tlb_batch_pages_flush __tlb_batch_free_encoded_pages tlb_flush_mmu_free tlb_flush_mmu tlb_finish_mmu arch_tlb_finish_mmu free_pages_and_swap_cache tlb_remove_page_size __tlb_remove_page* tlb_remove_page* zap_pte_range zap_present_ptes",
            "mm/mmu_gather.c tlb_batch_pages_flush(); the example in commit 95813b8faa0c, which added the page_ref events"),
        RefRule.Of("contig-isolate", "isolation", null,
            "isolate_migratepages_block isolate_migratepages_range isolate_or_dissolve_huge_page isolate_or_dissolve_huge_folio isolate_hugetlb isolate_huge_page folio_isolate_hugetlb isolate_movable_page isolate_movable_ops_page",
            "mm/compaction.c isolate_migratepages_block(), for mm/page_alloc.c __alloc_contig_migrate_range()", Contig),
        RefRule.Of("contig-reclaim", "isolation", null, "reclaim_clean_pages_from_list shrink_folio_list shrink_page_list __remove_mapping",
            "mm/vmscan.c reclaim_clean_pages_from_list(), for __alloc_contig_migrate_range()", Contig),
        RefRule.Of("contig-putback", "isolation", null, "putback_movable_pages folio_putback_lru putback_lru_page putback_movable_page putback_movable_ops_page",
            "mm/migrate.c putback_movable_pages()", Contig),
        RefRule.Of("contig-take", "contiguous", Take, "split_map_pages split_free_pages isolate_freepages_range alloc_contig_range* alloc_contig_frozen* cma_alloc* __cma_alloc* prep_new_page",
            "mm/page_alloc.c alloc_contig_range(): the range is the caller's now", Contig),
        RefRule.Of("contig-free", "contiguous", Put, "free_contig_range free_contig_frozen_range __free_contig_range cma_release cma_free_folio",
            "mm/page_alloc.c free_contig_range()"),
        RefRule.Of("compaction", "other-isolation", null, "isolate_migratepages_block isolate_migratepages compact_zone compact_zone_order kcompactd_do_work release_freepages",
            "mm/compaction.c isolate_migratepages(), of kcompactd or direct compaction"),
        RefRule.Of("longterm-migrate", "migration", null,
            "collect_longterm_unpinnable_folios collect_longterm_unpinnable_pages check_and_migrate_movable_pages check_and_migrate_cma_pages check_and_migrate_movable_folios check_and_migrate_movable_pages_or_folios migrate_longterm_unpinnable_* __gup_longterm_locked",
            "mm/gup.c collect_longterm_unpinnable_folios(): a long-term pin moves the page out first",
            via: "folio_isolate_lru isolate_lru_page isolate_hugetlb isolate_huge_page folio_isolate_hugetlb putback_movable_pages folio_add_lru"),
        RefRule.Of("longterm-unpin", "long-term-pin", Put,
            "collect_longterm_unpinnable_folios check_and_migrate_movable_pages check_and_migrate_cma_pages check_and_migrate_movable_folios check_and_migrate_movable_pages_or_folios migrate_longterm_unpinnable_*",
            "mm/gup.c migrate_longterm_unpinnable_folios(): a long-term pin lets go of what it will move out first"),
        RefRule.Of("reclaim", "reclaim", null,
            "shrink_folio_list shrink_page_list isolate_lru_folios isolate_lru_pages shrink_inactive_list shrink_active_list shrink_lruvec shrink_node* shrink_zone* evict_folios isolate_folios scan_folios isolate_folio "
            + "try_to_shrink_lruvec reclaim_pages reclaim_folio_list move_folios_to_lru move_pages_to_lru putback_inactive_pages move_active_pages_to_lru kswapd balance_pgdat try_to_free_pages lru_gen_*",
            "mm/vmscan.c isolate_lru_folios(), shrink_folio_list()"),
    ];
}
