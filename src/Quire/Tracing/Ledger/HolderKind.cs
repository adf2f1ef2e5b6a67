namespace Quire;

/// <summary>What kind of reference a holder has, and so which rule it is held to.</summary>
/// <remarks>The values are stable: they are stored in traces.</remarks>
public enum HolderKind : byte
{
    /// <summary>A reference to the whole page, from an allocation or a get (<c>get_page</c>).</summary>
    Page = 0,

    /// <summary>A slice of a fragment page (<c>page_frag_alloc</c>).</summary>
    Fragment = 1,

    /// <summary>A short pin: its holder promises to end it soon, and a migration waits for it (<c>FOLL_PIN</c>).</summary>
    Pin = 2,

    /// <summary>A long-term pin: its page has been moved out of contiguous areas first (<c>FOLL_LONGTERM</c>).</summary>
    LongTermPin = 3,

    /// <summary>The references that a fragment cache keeps back to give out without an atomic (<c>pagecnt_bias</c>).</summary>
    Bias = 4,

    /// <summary>The reference of the table through which movable data is reached.</summary>
    Movable = 5,

    /// <summary>A page of an allocated contiguous range (<c>cma_alloc</c>).</summary>
    Contiguous = 6,

    /// <summary>A bare count operation without a handle (<c>page_ref_add</c>); paired with its release by thread and order.</summary>
    Raw = 7,
}
