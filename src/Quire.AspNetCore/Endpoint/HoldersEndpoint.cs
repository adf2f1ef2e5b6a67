using System.Globalization;
using System.Net;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Extensions;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Primitives;

namespace Quire.AspNetCore;

/// <summary>Answers requests for the report: who may have it, in which form, and whether the ledger may be switched on.</summary>
internal sealed class HoldersEndpoint(QuireHoldersOptions options, TrackingSwitch tracking, ILogger log)
{
    private static readonly string[] s_forwarded = ["Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP", "Via"];

    internal async Task InvokeAsync(HttpContext context)
    {
        if (!options.AllowRemote && !IsLocal(context))
        {
            context.Response.StatusCode = StatusCodes.Status404NotFound;
            return;
        }

        context.Response.Headers.CacheControl = "no-store";
        context.Response.Headers.XContentTypeOptions = "nosniff";
        Form form = FormOf(context.Request);
        if (HttpMethods.IsPost(context.Request.Method) && !await TrySwitchAsync(context, form))
        {
            return;
        }

        await WriteAsync(context, form);
    }

    /// <summary>Whether a request comes from this machine, by a name of it, and from nobody further away.</summary>
    internal static bool IsLocal(HttpContext context)
    {
        // A page of another site can have a browser on this machine ask: by a name of its own that leads here. Hence the name, too.
        return context.Connection.RemoteIpAddress is { } remote
            && IsLoopback(remote)
            && IsOwnName(context.Request.Host.Host)
            && !Array.Exists(s_forwarded, context.Request.Headers.ContainsKey);
    }

    private static bool IsOwnName(string host) =>
        host.Equals("localhost", StringComparison.OrdinalIgnoreCase)
        || (IPAddress.TryParse(host.Trim('[', ']'), out IPAddress? address) && IsLoopback(address));

    private static bool IsLoopback(IPAddress address) => IPAddress.IsLoopback(address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address);

    /// <summary>Switches the ledger on as the request asks. False where it was answered already.</summary>
    private async Task<bool> TrySwitchAsync(HttpContext context, Form form)
    {
        if (!options.AllowTracking)
        {
            await RefuseAsync(context, StatusCodes.Status403Forbidden, "The ledger can't be switched on from here: QuireHoldersOptions.AllowTracking is false.");
            return false;
        }

        if (!IsSameOrigin(context.Request))
        {
            await RefuseAsync(context, StatusCodes.Status403Forbidden, "The ledger can't be switched on by a page of another site.");
            return false;
        }

        StringValues asked = context.Request.Query["seconds"];
        if (asked.Count == 0 && context.Request.HasFormContentType)
        {
            try
            {
                asked = (await context.Request.ReadFormAsync(context.RequestAborted))["seconds"];
            }
            catch (Exception unreadable) when (unreadable is InvalidDataException or BadHttpRequestException)
            {
                asked = StringValues.Empty;
            }
        }

        int most = (int)options.MaximumTracking.TotalSeconds;
        if (!int.TryParse(asked, NumberStyles.None, CultureInfo.InvariantCulture, out int seconds) || seconds < 1 || seconds > most)
        {
            await RefuseAsync(context, StatusCodes.Status400BadRequest, string.Create(CultureInfo.InvariantCulture, $"'seconds' must be a number from 1 to {most}."));
            return false;
        }

        try
        {
            tracking.Start(TimeSpan.FromSeconds(seconds));
        }
        catch (NotSupportedException refused)
        {
            await RefuseAsync(context, StatusCodes.Status409Conflict, refused.Message);
            return false;
        }
        catch (ObjectDisposedException)
        {
            await RefuseAsync(context, StatusCodes.Status503ServiceUnavailable, "The application is stopping.");
            return false;
        }

        log.TrackingAsked(seconds, context.Connection.RemoteIpAddress?.ToString() ?? "unknown");
        if (form != Form.Html)
        {
            return true;
        }

        // So that a reload of the page asks for the page, and not for this once more.
        context.Response.StatusCode = StatusCodes.Status303SeeOther;
        context.Response.Headers.Location = UriHelper.BuildRelative(context.Request.PathBase, context.Request.Path);
        return false;
    }

    /// <summary>Browsers say where a POST comes from; other clients have no page that could be made to send one.</summary>
    private static bool IsSameOrigin(HttpRequest request) =>
        StringValues.IsNullOrEmpty(request.Headers.Origin)
            ? request.Headers["Sec-Fetch-Site"] is not [{ } site] || site is "same-origin" or "none"
            : string.Equals(request.Headers.Origin, $"{request.Scheme}://{request.Host}", StringComparison.OrdinalIgnoreCase);

    private static Task RefuseAsync(HttpContext context, int status, string why)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "text/plain; charset=utf-8";
        return context.Response.WriteAsync(why + "\n", context.RequestAborted);
    }

    private async Task WriteAsync(HttpContext context, Form form)
    {
        HoldersReport report = HoldersReport.Make(tracking.Left);
        switch (form)
        {
            case Form.Json:
                context.Response.ContentType = "application/json; charset=utf-8";
                await JsonSerializer.SerializeAsync(context.Response.Body, report, HoldersJson.Default.HoldersReport, context.RequestAborted);
                break;
            case Form.Html:
                context.Response.ContentType = "text/html; charset=utf-8";
                context.Response.Headers.ContentSecurityPolicy = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";
                await context.Response.WriteAsync(HoldersHtml.Of(report, options), context.RequestAborted);
                break;
            default:
                context.Response.ContentType = "text/plain; charset=utf-8";
                await context.Response.WriteAsync(HoldersText.Of(report), context.RequestAborted);
                break;
        }
    }

    /// <summary>By the query, otherwise by what the client accepts; text for those who take anything, as terminals do.</summary>
    private static Form FormOf(HttpRequest request) => request.Query["format"].ToString() switch
    {
        "json" => Form.Json,
        "html" => Form.Html,
        "text" => Form.Text,
        _ => Accepts(request, "text/html") ? Form.Html : Accepts(request, "application/json") ? Form.Json : Form.Text,
    };

    private static bool Accepts(HttpRequest request, string type) => request.Headers.Accept.ToString().Contains(type, StringComparison.OrdinalIgnoreCase);

    private enum Form
    {
        Text,
        Html,
        Json,
    }
}
