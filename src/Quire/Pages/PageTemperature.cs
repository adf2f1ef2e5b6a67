namespace Quire;

/// <summary>Whether a freed page's bytes are likely still in the processor's cache.</summary>
/// <remarks>The <c>cold</c> argument of the kernel's <c>free_hot_cold_page</c>.</remarks>
public enum PageTemperature
{
    /// <summary>Just used: handed out again first.</summary>
    Hot,

    /// <summary>Not touched for long, or written by a device: handed out last.</summary>
    Cold,
}
