namespace Quire.Traces.Analysis;

/// <summary>References that a page has by what it is.</summary>
internal static partial class RefRuleTable
{
    private const string Allocator =
        "post_alloc_hook prep_new_page get_page_from_freelist __alloc_pages __alloc_pages_nodemask __alloc_pages_slowpath* __alloc_frozen_pages* alloc_frozen_pages* alloc_pages alloc_pages_current alloc_pages_vma alloc_pages_mpol* alloc_pages_node* __folio_alloc* folio_alloc* vma_alloc_folio* "
        + "alloc_page_interleave filemap_alloc_folio* __page_cache_alloc alloc_pages_bulk* __alloc_pages_bulk* __alloc_pages_direct_* alloc_anon_folio folio_prealloc";

    private const string FaultPath =
        "do_wp_page wp_page_copy do_anonymous_page do_cow_fault do_read_fault do_fault do_swap_page __do_fault finish_fault handle_pte_fault create_huge_pmd wp_huge_pmd do_huge_pmd_anonymous_page __do_huge_pmd_anonymous_page do_huge_pmd_wp_page do_huge_pmd_wp_page_fallback __handle_mm_fault handle_mm_fault faultin_page";

    private static RefRule[] Structure =>
    [
        RefRule.Of("page-tables", "kernel-memory", null, "pte_alloc_one* __pte_alloc* pmd_alloc pmd_alloc_one __pmd_alloc pud_alloc_one __pud_alloc __p4d_alloc pgd_alloc pagetable_alloc* get_zeroed_page* __get_free_pages __get_free_page* pte_free pmd_free* pud_free* pgd_free tlb_remove_table* __tlb_remove_table* tlb_table_flush free_pgtables free_pgd_range ___pte_free_tlb __mmdrop pagetable_free* pagetable_dtor_free",
            "mm/memory.c __pte_alloc()"),
        RefRule.Of("slab", "kernel-memory", null,
            "allocate_slab new_slab ___slab_alloc __slab_alloc slob_new_pages slob_alloc slob_alloc_node slob_free_pages alloc_slab_page kmem_getpages cache_grow* kmalloc_large* __kmalloc_large* ___kmalloc_large* kmalloc_order* free_large_kmalloc __free_slab free_slab discard_slab rcu_free_slab slab_destroy kmem_freepages kfree kmem_cache_free* kmem_cache_alloc* __kmalloc*",
            "mm/slub.c allocate_slab()"),
        RefRule.Of("vmalloc", "kernel-memory", null, "vm_area_alloc_pages __vmalloc_area_node __vmalloc_node_range* vfree __vunmap vfree_atomic delayed_vfree_work free_work alloc_thread_stack_node dup_task_struct thread_stack_free_rcu module_alloc execmem_alloc",
            "mm/vmalloc.c vm_area_alloc_pages()"),
        RefRule.Of("rcu-free", "kernel-memory", Put, "rcu_core rcu_do_batch rcu_process_callbacks kfree_rcu_work kfree_rcu_monitor", "kernel/rcu/tree.c rcu_do_batch(): freed after a grace period", strength: Weak),
        RefRule.Of("attach-private", "private-data", null,
            "folio_attach_private attach_page_private create_empty_buffers create_page_buffers folio_create_empty_buffers folio_create_buffers link_dev_buffers iomap_page_create ifs_alloc iop_alloc set_page_extent_mapped set_folio_extent_mapped set_page_private_* f2fs_set_page_private nfs_inode_add_request nfs_page_set_inode_ref",
            "include/linux/pagemap.h folio_attach_private(), fs/buffer.c create_empty_buffers()"),
        RefRule.Of("detach-private", "private-data", null,
            "folio_detach_private detach_page_private drop_buffers try_to_free_buffers try_to_release_page filemap_release_folio block_invalidate_folio block_invalidatepage discard_buffer iomap_release_folio iomap_page_release iomap_releasepage ifs_free iomap_invalidate_folio clear_page_extent_mapped clear_folio_extent_mapped __clear_page_buffers "
            + "clear_page_private_* nfs_inode_remove_request __buffer_migrate_folio __buffer_migrate_page buffer_migrate_page buffer_migrate_page_norefs buffer_migrate_folio buffer_migrate_folio_norefs filemap_migrate_folio iomap_migrate_page",
            "fs/buffer.c drop_buffers(); mm/migrate.c __buffer_migrate_folio()"),
        RefRule.Of("add-to-cache", "page-cache", Take,
            "__filemap_add_folio filemap_add_folio __add_to_page_cache_locked add_to_page_cache_locked add_to_page_cache_lru shmem_add_to_page_cache huge_add_to_page_cache hugetlb_add_to_page_cache replace_page_cache_page replace_page_cache_folio shmem_replace_page shmem_replace_folio",
            "mm/filemap.c __filemap_add_folio()"),
        RefRule.Of("migrated-cache", "page-cache", null, "folio_migrate_mapping __folio_migrate_mapping migrate_page_move_mapping migrate_huge_page_move_mapping", "mm/migrate.c folio_migrate_mapping(): the cache's reference moves to the new page"),
        RefRule.Of("remove-from-cache", "page-cache", Put,
            "__filemap_remove_folio filemap_remove_folio __delete_from_page_cache delete_from_page_cache page_cache_delete page_cache_delete_batch delete_from_page_cache_batch filemap_free_folio page_cache_free_page remove_mapping __remove_mapping shmem_delete_from_page_cache hugetlb_delete_from_page_cache remove_huge_page remove_inode_hugepages replace_page_cache_page replace_page_cache_folio",
            "mm/filemap.c filemap_remove_folio()"),
        RefRule.Of("swap-cache-add", "swap-cache", Take, "add_to_swap_cache __add_to_swap_cache add_to_swap folio_alloc_swap swap_cache_add_folio __swap_cache_add_folio", "mm/swap_state.c add_to_swap_cache()"),
        RefRule.Of("swap-cache-remove", "swap-cache", Put, "delete_from_swap_cache __delete_from_swap_cache free_swap_cache swap_cache_del_folio __swap_cache_del_folio folio_free_swap try_to_free_swap reuse_swap_page __try_to_reclaim_swap free_page_and_swap_cache free_folio_and_swap_cache", "mm/swap_state.c delete_from_swap_cache()"),
        RefRule.Of("fork", "fork", Take, "copy_page_range copy_pte_range copy_present_pte copy_present_ptes copy_present_page copy_one_pte copy_huge_pmd copy_huge_pud copy_hugetlb_page_range copy_nonpresent_pte __copy_present_ptes copy_p4d_range copy_pmd_range copy_pud_range dup_mmap", "mm/memory.c copy_present_ptes()"),
        RefRule.Of("hugetlb", "hugetlb", null,
            "hugetlb_fault hugetlb_no_page hugetlb_wp hugetlb_cow hugetlb_mfill_atomic_pte hugetlb_mcopy_atomic_pte __unmap_hugepage_range alloc_huge_page alloc_hugetlb_folio dequeue_huge_page_* dequeue_hugetlb_folio_* alloc_fresh_huge_page alloc_fresh_hugetlb_folio alloc_buddy_huge_page* alloc_buddy_hugetlb_folio* __alloc_buddy_huge_page* "
            + "alloc_surplus_huge* alloc_pool_huge* alloc_migrate_huge* prep_new_huge* prep_new_hugetlb* free_huge_page free_huge_folio update_and_free_* __update_and_free_* hugetlbfs_* alloc_and_dissolve_* enqueue_huge*",
            "mm/hugetlb.c hugetlb_no_page()"),
        RefRule.Of("first-fault", "allocation", Take, FaultPath + " shmem_swapin* swapin_readahead read_swap_cache_async __read_swap_cache_async swap_cluster_readahead swap_vma_readahead alloc_swap_folio",
            "mm/memory.c do_anonymous_page(), wp_page_copy(): the first reference becomes the mapping's", via: Allocator),
        RefRule.Of("map-fault", "mapping", Take, "finish_fault do_set_pte set_pte_range alloc_set_pte filemap_fault shmem_fault special_mapping_fault vdso_fault do_set_pmd insert_page insert_pages insert_page_into_pte_locked vm_insert_page* __vm_map_pages vm_map_pages* vmf_insert_* insert_pfn* insert_folio_pmd __do_fault ring_buffer_map drm_gem_shmem_fault",
            "mm/filemap.c filemap_fault() gives its reference to the page table; mm/memory.c insert_page_into_pte_locked()"),
        RefRule.Of("map-move", "mapping", Take, "remove_migration_pte remove_migration_pmd remove_migration_ptes unuse_pte mfill_atomic_* mcopy_atomic_* __mcopy_atomic* mfill_zeropage_pte move_pages_pte move_present_pte replace_page dax_insert_* split_huge_pmd __split_huge_pmd* __split_unmapped_folio", "mm/migrate.c remove_migration_pte()"),
        RefRule.Of("unmap", "mapping", Put, "wp_page_copy try_to_unmap_one try_to_migrate_one try_to_unmap try_to_migrate set_pmd_migration_entry zap_huge_pmd unuse_pte remove_migration_pte remove_migration_pmd __split_huge_pmd* replace_page zap_page_range* unmap_page_range unmap_vmas unmap_single_vma unmap_mapping_*", "mm/rmap.c try_to_unmap_one(), try_to_migrate_one()"),
        RefRule.Of("migrate-target", "allocation", Take, "migrate_pages migrate_pages_batch migrate_pages_sync unmap_and_move migrate_folio_unmap alloc_migration_target alloc_migrate_target new_page_nodemask compaction_alloc* alloc_misplaced_dst_* collapse_huge_page collapse_file", "mm/migrate.c alloc_migration_target(): where a page is moved to", via: Allocator),
        RefRule.Of("map-shmem", "mapping", Take, "shmem_get_folio* shmem_getpage*", "mm/shmem.c shmem_fault(): the lookup's reference becomes the mapping's", under: "shmem_fault __do_fault handle_mm_fault"),
        RefRule.Of("map-swap", "mapping", Take, "do_swap_page swap_cache_get_folio lookup_swap_cache", "mm/memory.c do_swap_page(): the lookup's reference becomes the mapping's", under: "do_swap_page handle_mm_fault __handle_mm_fault unuse_pte_range"),
        RefRule.Of("fault", "page-fault", null, FaultPath + " ksm_might_need_to_copy do_pte_missing", "mm/memory.c do_wp_page(), do_swap_page()"),
        RefRule.Of("allocate", "allocation", Take, Allocator, "mm/page_alloc.c post_alloc_hook()", strength: Weak),
    ];
}
